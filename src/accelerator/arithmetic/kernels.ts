/**
 * The summations as gpu.js kernels. gpu.js translates the text of these functions, so they may use numbers, arrays and `Math` only,
 * and nothing from outside but what `addFunction` adds. One cell of the output is one accumulator; thread x is the column, which is
 * the axis that WebAssembly computes four at a time, y the row, z the group.
 *
 * Note [Exact in float32]. There is no other arithmetic inside a kernel, so each format is built from operations whose float32
 * results are exact or rounded as the format demands. `Math.fround` does nothing where numbers are 32 bits wide (WebAssembly, GPUs),
 * and makes the cpu mode, which computes in doubles, agree. A GPU whose compiler fuses or reorders operations fails the check
 * that unit.ts makes, and is not used.
 *
 * Half precision: a product of two halves has 22 bits and is exact in float32; a sum of two is rounded once more than it should be,
 * which changes nothing because 24 >= 2·11 + 2 (Figueroa, "When is double rounding innocuous?", 1995).
 *
 * Integers: 16 × 16 bits is 31 bits, more than the 24 of float32. The weight is split as w = 256·high + low, so both partial
 * products stay under 2^23, and the product becomes high·2^16 + low with 0 <= low < 2^16.
 */
import type { IKernelFunctionThis } from "gpu.js";

type Cell = IKernelFunctionThis;

/** Rows per cell of `plain`: each weight is read once for four of them. */
export const PLAIN_ROWS = 4;

/**
 * Rounds to half precision, ties to even; beyond its range to 65536 or more. The first line is Rump's unit in the first place
 * ("Error-free transformations", 2008, algorithm 3.5): the power of two at or below |v|, without branches. Adding and subtracting
 * 1.5·2^23 units in the last place then makes the hardware round there.
 */
export function half(v: number): number {
  const scaled = Math.fround(v * 8388609.0);
  const power = Math.fround(Math.abs(Math.fround(scaled - Math.fround(scaled * 0.999999940395355225))));
  const ulp = Math.fround(Math.max(Math.fround(power * 0.0009765625), 0.000000059604644775390625));
  const pivot = Math.fround(ulp * 12582912.0);
  return Math.fround(Math.fround(v + pivot) - pivot);
}

/** @returns four accumulators, of rows 4y to 4y + 3 */
function plain(
  this: Cell,
  left: number[],
  right: number[],
  rows: number,
  depth: number,
  columns: number,
): [number, number, number, number] {
  const first = (this.thread.z * rows + this.thread.y * 4) * depth;
  const second = first + depth;
  const third = second + depth;
  const fourth = third + depth;
  const column = this.thread.z * depth * columns + this.thread.x;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < depth; k++) {
    const w = right[column + k * columns] as number;
    a = Math.fround(a + Math.fround((left[first + k] as number) * w));
    b = Math.fround(b + Math.fround((left[second + k] as number) * w));
    c = Math.fround(c + Math.fround((left[third + k] as number) * w));
    d = Math.fround(d + Math.fround((left[fourth + k] as number) * w));
  }
  return [a, b, c, d];
}

/** @returns the accumulator, how often it saturated */
function halfSum(
  this: Cell,
  left: number[],
  right: number[],
  rows: number,
  depth: number,
  columns: number,
): [number, number] {
  const row = (this.thread.z * rows + this.thread.y) * depth;
  const column = this.thread.z * depth * columns + this.thread.x;
  let sum = 0;
  let saturated = 0;
  for (let k = 0; k < depth; k++) {
    let product = half(Math.fround((left[row + k] as number) * (right[column + k * columns] as number)));
    if (Math.abs(product) > 65504) saturated = saturated + 1;
    product = Math.max(-65504, Math.min(65504, product));
    sum = half(Math.fround(sum + product));
    if (Math.abs(sum) > 65504) saturated = saturated + 1;
    sum = Math.max(-65504, Math.min(65504, sum));
  }
  return [sum, saturated];
}

/**
 * The numbers after `columns` are a shift by s = 0 to 16 bits (wideShift): 2^-s, 2^s, 2^(16-s) and the half that rounds.
 *
 * @returns the accumulator as high·2^16 + low, how often it saturated, 0
 */
function wideSum(
  this: Cell,
  left: number[],
  right: number[],
  rows: number,
  depth: number,
  columns: number,
  scale: number,
  unscale: number,
  step: number,
  round: number,
): [number, number, number, number] {
  const row = (this.thread.z * rows + this.thread.y) * depth;
  const column = this.thread.z * depth * columns + this.thread.x;
  let high = 0;
  let low = 0;
  let saturated = 0;
  for (let k = 0; k < depth; k++) {
    const x = left[row + k] as number;
    const w = right[column + k * columns] as number;
    const upper = Math.floor(w * 0.00390625);
    const product = x * upper;
    const productHigh = Math.floor(product * 0.00390625);
    const whole = x * (w - upper * 256) + (product - productHigh * 256) * 256;
    const productCarry = Math.floor(whole * 0.0000152587890625);
    const shifted = Math.floor((productHigh + productCarry) * scale);
    const fallen = (productHigh + productCarry - shifted * unscale) * step;
    low = low + fallen + Math.floor((whole - productCarry * 65536 + round) * scale);
    const carry = Math.floor(low * 0.0000152587890625);
    low = low - carry * 65536;
    high = high + shifted + carry;
    if (high > 32767) {
      high = 32767;
      low = 65535;
      saturated = saturated + 1;
    }
    if (high < -32768) {
      high = -32768;
      low = 0;
      saturated = saturated + 1;
    }
  }
  return [high, low, saturated, 0];
}

/**
 * The five numbers after `columns` are a shift (narrowShift): up to 16 bits it divides `low` and multiplies `high`, beyond that `low`
 * only falls away.
 *
 * @returns the accumulator, how often it saturated
 */
function narrowSum(
  this: Cell,
  left: number[],
  right: number[],
  rows: number,
  depth: number,
  columns: number,
  roundHigh: number,
  scaleHigh: number,
  stepHigh: number,
  roundLow: number,
  scaleLow: number,
): [number, number] {
  const row = (this.thread.z * rows + this.thread.y) * depth;
  const column = this.thread.z * depth * columns + this.thread.x;
  let sum = 0;
  let saturated = 0;
  for (let k = 0; k < depth; k++) {
    const x = left[row + k] as number;
    const w = right[column + k * columns] as number;
    const upper = Math.floor(w * 0.00390625);
    const product = x * upper;
    const productHigh = Math.floor(product * 0.00390625);
    const whole = x * (w - upper * 256) + (product - productHigh * 256) * 256;
    const carry = Math.floor(whole * 0.0000152587890625);
    const shiftedHigh = Math.floor((productHigh + carry + roundHigh) * scaleHigh) * stepHigh;
    const shiftedLow = Math.floor((whole - carry * 65536 + roundLow) * scaleLow);
    sum = sum + Math.fround(shiftedHigh + shiftedLow);
    if (sum > 32767) {
      sum = 32767;
      saturated = saturated + 1;
    }
    if (sum < -32768) {
      sum = -32768;
      saturated = saturated + 1;
    }
  }
  return [sum, saturated];
}

/** gpu.js binds `this` to the cell. */
export const KERNELS: {
  readonly plain: typeof plain;
  readonly halfSum: typeof halfSum;
  readonly wideSum: typeof wideSum;
  readonly narrowSum: typeof narrowSum;
} = { plain, halfSum, wideSum, narrowSum };

/** The numbers by which `wideSum` shifts right by `bits`, 0 to 16, rounding half up. */
export function wideShift(bits: number): readonly number[] {
  return [2 ** -bits, 2 ** bits, 2 ** (16 - bits), bits === 0 ? 0 : 2 ** (bits - 1)];
}

/** The numbers by which `narrowSum` shifts right by `bits`, 0 to 30, rounding half up. */
export function narrowShift(bits: number): readonly number[] {
  if (bits === 0) return [0, 1, 65536, 0, 1];
  if (bits <= 16) return [0, 1, 2 ** (16 - bits), 2 ** (bits - 1), 2 ** -bits];
  return [2 ** (bits - 17), 2 ** (16 - bits), 1, 0, 2 ** -17];
}
