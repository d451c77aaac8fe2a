/**
 * Values of a few bits each, packed one behind the other from the low bit of each byte up; two 4-bit values put the first in the
 * low nibble.
 */

/** Bytes of `count` values of `bits` bits each. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** @param bits of a value, 1 to 16; higher bits of a value are cut off */
export function packBits(values: Uint8Array | Uint16Array | Uint32Array, bits: number): Uint8Array {
  const bytes = new Uint8Array(packedBytes(values.length, bits));
  const mask = 2 ** bits - 1;
  let pending = 0;
  let held = 0;
  let at = 0;
  for (const value of values) {
    pending |= (value & mask) << held;
    held += bits;
    for (; held >= 8; held -= 8) {
      bytes[at++] = pending;
      pending >>>= 8;
    }
  }
  if (held > 0) bytes[at] = pending;
  return bytes;
}

/** The first `count` values of `bits` bits (1 to 8) in `bytes`, which must be long enough. */
export function unpackBits(bytes: Uint8Array, bits: number, count: number): Uint8Array {
  const values = new Uint8Array(count);
  const mask = 2 ** bits - 1;
  let pending = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (held < bits) {
      pending |= (bytes[at++] ?? 0) << held;
      held += 8;
    }
    values[i] = pending & mask;
    pending >>>= bits;
    held -= bits;
  }
  return values;
}
