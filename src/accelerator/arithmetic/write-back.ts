/**
 * From the accumulators to memory: the bias is added in the accumulator's format, the rectifier applied, and the result rounded to
 * words of the operands' precision. That word is what the next layer reads, and what its activation's density is measured on.
 */
import { type Arithmetic, isInteger, LARGEST } from "./arithmetic.ts";
import { encode } from "./encode.ts";
import { rangeOf } from "./product.ts";
import { clamp, roundHalf, roundHalfEven } from "./rounding.ts";

/** What the accelerator does to a sum on its way out; all else is the host's. */
export type Rectifier = "linear" | "relu" | "relu6";

export interface WrittenBack {
  readonly values: Float32Array;
  readonly nonZero: number;
  /** Accumulators that the bias took out of their range. */
  readonly saturatedSums: number;
  /** Words that could not hold their value. */
  readonly saturatedOutputs: number;
}

/**
 * @param sums accumulators; the column, which has the bias, varies fastest
 * @param scale real number that 1 in an accumulator stands for
 * @param bias a value per column, or one for all, or none
 */
export function writeBack(
  sums: Float64Array,
  scale: number,
  bias: ArrayLike<number> | null,
  rectifier: Rectifier,
  arithmetic: Arithmetic,
): WrittenBack {
  const add = bias === null ? null : adder(bias, scale, arithmetic);
  const results = new Float64Array(sums.length);
  let saturatedSums = 0;
  for (let i = 0; i < sums.length; i++) {
    let sum = sums[i] as number;
    if (add !== null) {
      const exact = add.exact(sum, i);
      sum = add.fit(exact);
      if (!Object.is(sum, exact)) saturatedSums++;
    }
    const value = sum * scale;
    results[i] = rectifier === "linear" ? value : clamp(value, 0, rectifier === "relu6" ? 6 : Infinity);
  }
  const { codes, scale: outputScale, saturated, nonZero } = encode(results, arithmetic, "outputs");
  if (outputScale !== 1) for (let i = 0; i < codes.length; i++) codes[i] = (codes[i] as number) * outputScale;
  return { values: codes, nonZero, saturatedSums, saturatedOutputs: saturated };
}

interface Adder {
  /** The sum rounded as the accumulator rounds, as if its range had no end. */
  exact(sum: number, at: number): number;
  fit(sum: number): number;
}

function adder(bias: ArrayLike<number>, scale: number, { precision, accumulate }: Arithmetic): Adder {
  const code = (value: number): number => {
    if (accumulate === "int32" || accumulate === "int16")
      return clamp(roundHalfEven(value / scale), ...rangeOf(accumulate));
    return precision === "fp16" ? clamp(roundHalf(value), -LARGEST.fp16, LARGEST.fp16) : Math.fround(value / scale);
  };
  const codes = Float64Array.from(bias, code);
  const round = accumulate === "fp16" ? roundHalf : isInteger(precision) && accumulate !== "fp32" ? same : Math.fround;
  const [low, high] =
    accumulate === "fp32"
      ? [-Infinity, Infinity]
      : accumulate === "fp16"
        ? [-LARGEST.fp16, LARGEST.fp16]
        : rangeOf(accumulate);
  return {
    exact: (sum, at) => round(sum + (codes[at % codes.length] as number)),
    fit: (sum) => clamp(sum, low, high),
  };
}

function same(sum: number): number {
  return sum;
}
