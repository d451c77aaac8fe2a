/** Symmetric linear quantization, one scale for a tensor: value ≈ scale · integer, and 0 stays exactly 0. */
import { checkFinite } from "../sharing/share.ts";

export type IntegerBits = 8 | 16;

export interface Quantized {
  /** From −127 to 127, or −32767 to 32767: the most negative integer is not used, so that signs mirror. */
  readonly integers: Int8Array | Int16Array;
  /** A float; 1 for a tensor of zeros. */
  readonly scale: number;
}

/** @throws VdnnError `ERR_INVALID_MODEL` for values that are not finite */
export function quantize(values: Float32Array, integerBits: IntegerBits, name = "tensor"): Quantized {
  checkFinite(values, name);
  const most = 2 ** (integerBits - 1) - 1;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  // A scale that is too small for a float would become 0.
  const scale = Math.fround(largest / most) || 1;
  const integers = integerBits === 8 ? new Int8Array(values.length) : new Int16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    integers[i] = Math.max(-most, Math.min(most, Math.round((values[i] ?? 0) / scale)));
  }
  return { integers, scale };
}

export function dequantize({ integers, scale }: Quantized): Float32Array {
  return Float32Array.from(integers, (integer) => integer * scale);
}

/** Bits of the integers and their scale. */
export function quantizedBits(count: number, integerBits: IntegerBits): number {
  return count * integerBits + 32;
}
