/** One matrix product as the arithmetic units see it: what goes in, what comes out, and how it is to be summed. */
import type { Encoded } from "./encode.ts";
import { type Accumulation, type Arithmetic, isInteger, LARGEST } from "./arithmetic.ts";

/** `groups` independent products; in each, every row of `left` meets every column of `right` over `depth`. */
export interface Product {
  /** [groups, rows, depth] */
  readonly left: Float32Array;
  /** [groups, depth, columns] */
  readonly right: Float32Array;
  readonly groups: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
}

export interface Accumulators {
  /** [groups, rows, columns], in units of the accumulator; float64 holds every format exactly. */
  readonly values: Float64Array;
  /** Additions (and in fp16 products) that left the accumulator's range and were set to its end. */
  readonly saturated: number;
}

/**
 * How products are summed, in the order of the depth. The integer sums take products that were shifted right by `shift` bits,
 * rounded half up, and saturate at every addition.
 *
 * - `plain`: float32 product, float32 sum. Also exact for integers as long as no sum can reach 2^24.
 * - `half`: product and sum rounded to half precision, saturating.
 * - `wide`: a sum of 32 bits; the shift is 0 to 16.
 * - `narrow`: a sum of 16 bits; the shift is 0 to 30.
 */
export type Summation =
  | { readonly kind: "plain" }
  | { readonly kind: "half" }
  | { readonly kind: "wide"; readonly shift: number }
  | { readonly kind: "narrow"; readonly shift: number };

/** Integers up to here are exact in float32. */
const EXACT = 2 ** 24;
const MAX_SHIFT = { int32: 16, int16: 30 } as const;

/**
 * The summation of a product. Integer products are shifted by the fewest bits with which no sum can overflow, whatever the signs of
 * the inputs, as a designer would set it layer by layer from the weights.
 *
 * @param largestInput magnitude of the largest input, in codes
 * @param weightNorm the largest sum of magnitudes over the weights of one filter, in codes
 */
export function summationOf(
  { precision, accumulate }: Arithmetic,
  largestInput: number,
  weightNorm: number,
  depth: number,
): Summation {
  if (accumulate === "fp16") return { kind: "half" };
  if (accumulate === "fp32" || !isInteger(precision)) return { kind: "plain" };
  const largestSum = largestInput * weightNorm;
  const shift = shiftFor(largestSum, depth, accumulate);
  if (accumulate === "int16") return { kind: "narrow", shift };
  return largestSum < EXACT ? { kind: "plain" } : { kind: "wide", shift };
}

/** Rounding half up adds at most 1/2 to each of the `depth` products. */
function shiftFor(largestSum: number, depth: number, accumulate: "int32" | "int16"): number {
  const fits = (shift: number): boolean =>
    largestSum / 2 ** shift + (shift === 0 ? 0 : depth / 2) <= LARGEST[accumulate];
  let shift = 0;
  while (shift < MAX_SHIFT[accumulate] && !fits(shift)) shift++;
  return shift;
}

/** Real number that 1 in the accumulator stands for. */
export function accumulatorScale(inputs: Encoded, weights: Encoded, summation: Summation): number {
  const shift = "shift" in summation ? summation.shift : 0;
  return inputs.scale * weights.scale * 2 ** shift;
}

/** Range of an integer accumulator, two's complement. */
export function rangeOf(accumulate: Accumulation): readonly [number, number] {
  return [-LARGEST[accumulate] - 1, LARGEST[accumulate]];
}
