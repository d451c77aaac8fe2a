/**
 * Zero-value compression (Rhu et al., "Compressing DMA engine", HPCA 2018): for every 32 words a mask of 32 bits that says which of
 * them are not zero, and behind it those words. It never costs more than the masks, 3.1 % for words of 32 bits.
 */
import { invalidModel } from "../invalid.ts";

const WORDS_PER_MASK = 32;

/** Words of 16 bits (half precision, fixed point) or of 32 (a Float32Array's buffer). */
export type Words = Uint16Array | Uint32Array;

/** Bits of `words` words of `wordBits` bits, of which `nonZero` are not zero. */
export function zeroValueBits(words: number, nonZero: number, wordBits: 16 | 32): number {
  return 32 * Math.ceil(words / WORDS_PER_MASK) + wordBits * nonZero;
}

export function countNonZero(words: Words): number {
  let count = 0;
  for (const word of words) if (word !== 0) count++;
  return count;
}

/** The masks and the words that are not zero, in words of the same width; a mask is two of 16 bits, the low half first. */
export function encodeZeroValue<T extends Words>(words: T): T {
  const wordBits = words.BYTES_PER_ELEMENT === 2 ? 16 : 32;
  const halves = 32 / wordBits;
  const packed = like(words, zeroValueBits(words.length, countNonZero(words), wordBits) / wordBits);
  let at = 0;
  for (let start = 0; start < words.length; start += WORDS_PER_MASK) {
    const maskAt = at;
    at += halves;
    const end = Math.min(words.length, start + WORDS_PER_MASK);
    let mask = 0;
    for (let i = start; i < end; i++) {
      const word = words[i] ?? 0;
      if (word === 0) continue;
      mask |= 1 << (i - start);
      packed[at++] = word;
    }
    packed[maskAt] = mask;
    if (halves === 2) packed[maskAt + 1] = mask >>> 16;
  }
  return packed;
}

/**
 * @param length words of the original
 * @throws VdnnError `ERR_INVALID_MODEL` where the masks and the words behind them are not what `length` words take
 */
export function decodeZeroValue<T extends Words>(packed: T, length: number): T {
  const halves = packed.BYTES_PER_ELEMENT === 2 ? 2 : 1;
  const words = like(packed, length);
  let at = 0;
  for (let start = 0; start < length; start += WORDS_PER_MASK) {
    let mask = packed[at] ?? 0;
    if (halves === 2) mask |= (packed[at + 1] ?? 0) << 16;
    at += halves;
    for (; mask !== 0; mask &= mask - 1) {
      // The lowest bit that is set.
      const i = start + 31 - Math.clz32(mask & -mask);
      if (i >= length) throw wrongLength(length);
      words[i] = packed[at++] ?? 0;
    }
  }
  if (at !== packed.length) throw wrongLength(length);
  return words;
}

function like<T extends Words>(words: T, length: number): T {
  return (words.BYTES_PER_ELEMENT === 2 ? new Uint16Array(length) : new Uint32Array(length)) as T;
}

function wrongLength(length: number): Error {
  return invalidModel("zero-value words", `the masks do not describe ${length} words and what is stored of them`);
}
