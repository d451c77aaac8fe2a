/**
 * Real numbers as the accelerator holds them. Integers are codes: whole numbers in a Float32Array, which gpu.js computes with, and
 * the factor that makes a code the real number again.
 */
import type { Precision } from "../energy.ts";
import { type Arithmetic, type FractionBits, isInteger, LARGEST } from "./arithmetic.ts";
import { clamp, roundHalf, roundHalfEven } from "./rounding.ts";

export interface Encoded {
  readonly codes: Float32Array;
  /** Real number that code 1 stands for; 1 for the floating-point formats. */
  readonly scale: number;
  /** Values that the format could not reach. */
  readonly saturated: number;
  /** Magnitude of the largest code. */
  readonly largest: number;
  readonly nonZero: number;
}

export type Role = keyof FractionBits;

/** The values are finite; `checkFinite` has seen to it. The codes share the memory of `values` where nothing changes. */
export function encode(values: ArrayLike<number>, { precision, scaling }: Arithmetic, role: Role): Encoded {
  if (!isInteger(precision)) return encodeFloat(values, precision);
  const limit = LARGEST[precision];
  const scale = scaleOf(values, limit, scaling, role);
  const codes = new Float32Array(values.length);
  let [saturated, largest, nonZero] = [0, 0, 0];
  for (let i = 0; i < codes.length; i++) {
    const exact = roundHalfEven((values[i] as number) / scale);
    const code = clamp(exact, -limit, limit);
    if (code !== exact) saturated++;
    if (code === 0) continue;
    nonZero++;
    largest = Math.max(largest, Math.abs(code));
    codes[i] = code;
  }
  return { codes, scale, saturated, largest, nonZero };
}

function encodeFloat(values: ArrayLike<number>, precision: Precision): Encoded {
  const half = precision === "fp16";
  const limit = LARGEST[precision];
  const codes = !half && values instanceof Float32Array ? values : new Float32Array(values.length);
  let [saturated, largest, nonZero] = [0, 0, 0];
  for (let i = 0; i < codes.length; i++) {
    const value = values[i] as number;
    const exact = half ? roundHalf(value) : Math.fround(value);
    const code = clamp(exact, -limit, limit);
    if (code !== exact) saturated++;
    if (code !== 0) nonZero++;
    largest = Math.max(largest, Math.abs(code));
    codes[i] = code;
  }
  return { codes, scale: 1, saturated, largest, nonZero };
}

function scaleOf(values: ArrayLike<number>, limit: number, scaling: Arithmetic["scaling"], role: Role): number {
  if (typeof scaling === "object") return 2 ** -scaling[role];
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  if (largest === 0) return 1;
  if (scaling === "symmetric") return largest / limit;
  let exponent = Math.ceil(Math.log2(largest / limit));
  // The logarithm may be off by one where the quotient is next to a power of two.
  while (largest > limit * 2 ** exponent) exponent++;
  while (largest <= limit * 2 ** (exponent - 1)) exponent--;
  return 2 ** exponent;
}

/** Index of the first value that is no finite number, or -1. */
export function firstNonFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}
