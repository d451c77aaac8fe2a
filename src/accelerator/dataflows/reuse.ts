/**
 * The analysis framework of Chen, Emer, Sze, ISCA 2016, section VI: where each datum is reused, as four factors, and what that costs
 * by the normalized energies of table IV. Dataflows differ in nothing but the factors that their mappings reach.
 *
 *     DRAM --a--> buffer --b--> array --c--> register file --d--> MAC
 *
 * A value is fetched from DRAM `a` times, each copy read from the buffer `b` times, each of these delivered to `c` elements, and
 * used there `d` times; `a b c d` is how many MACs use it.
 */
import type { MemoryLevel } from "../cost.ts";

export interface Reuse {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Reuse of every datum of a layer, and how many of each there are. */
export interface LayerReuse {
  readonly inputs: Reuse;
  readonly weights: Reuse;
  /** `a b c d` is how many products are added into one output. */
  readonly sums: Reuse;
  readonly words: { readonly inputs: number; readonly weights: number; readonly outputs: number };
  /** What passes through an element's registers. Sums that do not stay there go from element to element. */
  readonly registers: "inputs, weights and sums" | "inputs and weights" | "nothing";
}

export type Accesses = Readonly<Record<MemoryLevel, number>>;

/** Reads of inputs and weights (equation 3), writes and reads of sums (equation 4). */
export function accessesOf({ inputs, weights, sums, words, registers }: LayerReuse): Accesses {
  const operands = [read(inputs, words.inputs), read(weights, words.weights)];
  const results = accumulated(sums, words.outputs);
  const at = (level: MemoryLevel): number => operands.reduce((total, each) => total + each[level], 0);
  return {
    dram: at("dram") + results.dram,
    buffer: at("buffer") + results.buffer,
    array: at("array") + results.array,
    registers:
      (registers === "nothing" ? 0 : at("registers")) +
      (registers === "inputs, weights and sums" ? results.registers : 0),
  };
}

function read({ a, b, c, d }: Reuse, values: number): Accesses {
  return { dram: values * a, buffer: values * a * b, array: values * a * b * c, registers: values * a * b * c * d };
}

/**
 * All visits but the first of a level read what was written there before. In a register file the first product counts as well, as
 * in the paper's figure 10, whose register energy is 4 accesses per MAC.
 */
function accumulated({ a, b, c, d }: Reuse, values: number): Accesses {
  return {
    dram: values * (2 * a - 1),
    buffer: values * 2 * a * (b - 1),
    array: values * a * b * (c - 1),
    registers: values * 2 * a * b * c * d,
  };
}

/** What is left of `total` uses for the last factor. */
export function rest(total: number, ...factors: readonly number[]): number {
  return factors.reduce((left, factor) => left / factor, total);
}
