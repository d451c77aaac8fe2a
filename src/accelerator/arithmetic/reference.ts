/**
 * The summations again, written the plain way: BigInt for integers, a rounding of every product and every sum for floats. Slow, and
 * independent of gpu.js; tests hold the kernels against it, and a mode of gpu.js is used only if it agrees (unit.ts).
 */
import { LARGEST } from "./arithmetic.ts";
import type { Accumulators, Product, Summation } from "./product.ts";
import { clamp, roundHalf } from "./rounding.ts";

/** What one accumulator does with the next pair of operands. */
interface Accumulator {
  add(x: number, w: number): void;
  readonly value: number;
  readonly saturated: number;
}

export function referenceProduct(product: Product, summation: Summation): Accumulators {
  const { left, right, groups, rows, depth, columns } = product;
  const values = new Float64Array(groups * rows * columns);
  let [at, saturated] = [0, 0];
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const accumulator = accumulatorFor(summation);
        for (let k = 0; k < depth; k++) {
          const x = left[(group * rows + row) * depth + k] as number;
          const w = right[(group * depth + k) * columns + column] as number;
          accumulator.add(x, w);
        }
        values[at++] = accumulator.value;
        saturated += accumulator.saturated;
      }
    }
  }
  return { values, saturated };
}

function accumulatorFor(summation: Summation): Accumulator {
  switch (summation.kind) {
    case "plain":
      return new FloatAccumulator(Math.fround, Infinity);
    case "half":
      return new FloatAccumulator(roundHalf, LARGEST.fp16);
    case "wide":
      return new IntegerAccumulator(32, summation.shift);
    case "narrow":
      return new IntegerAccumulator(16, summation.shift);
    default:
      return summation satisfies never;
  }
}

class FloatAccumulator implements Accumulator {
  value = 0;
  saturated = 0;
  readonly #round: (x: number) => number;
  readonly #largest: number;

  constructor(round: (x: number) => number, largest: number) {
    this.#round = round;
    this.#largest = largest;
  }

  add(x: number, w: number): void {
    this.value = this.#fit(this.value + this.#fit(x * w));
  }

  /** The product of two halves is exact in float64, and so is the sum of two: each is rounded once. */
  #fit(exact: number): number {
    const rounded = this.#round(exact);
    const fitting = clamp(rounded, -this.#largest, this.#largest);
    if (!Object.is(fitting, rounded)) this.saturated++;
    return fitting;
  }
}

class IntegerAccumulator implements Accumulator {
  saturated = 0;
  #sum = 0n;
  readonly #largest: bigint;
  readonly #shift: bigint;
  readonly #half: bigint;

  constructor(bits: number, shift: number) {
    this.#largest = 2n ** BigInt(bits - 1) - 1n;
    this.#shift = BigInt(shift);
    this.#half = shift === 0 ? 0n : 2n ** BigInt(shift - 1);
  }

  get value(): number {
    return Number(this.#sum);
  }

  add(x: number, w: number): void {
    const exact = this.#sum + ((BigInt(x) * BigInt(w) + this.#half) >> this.#shift);
    this.#sum = exact > this.#largest ? this.#largest : exact < -this.#largest - 1n ? -this.#largest - 1n : exact;
    if (this.#sum !== exact) this.saturated++;
  }
}
