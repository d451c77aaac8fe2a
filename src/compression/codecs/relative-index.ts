/**
 * Relative indices with fillers (Han et al., ICLR 2016, section 2 and figure 2): of a row of codes only those that are not zero
 * are kept, each with the number of zeros before it. A gap too large for its bits is bridged by fillers, entries of code 0
 * that each stand for 2^indexBits positions. Zeros behind the last entry are not stored.
 */
import { invalidModel, invalidOption } from "../invalid.ts";
import type { Entries } from "../model.ts";

/** Zeros that one filler skips plus its own position: 16 where indices have 4 bits. */
export function fillerSpan(indexBits: number): number {
  return 2 ** indexBits;
}

/** Entries that `codes` take, fillers included. */
export function countEntries(codes: Uint8Array, indexBits: number): number {
  const span = fillerSpan(indexBits);
  let count = 0;
  let last = -1;
  for (let at = 0; at < codes.length; at++) {
    if (codes[at] === 0) continue;
    count += 1 + Math.floor((at - last - 1) / span);
    last = at;
  }
  return count;
}

/**
 * @param codes one per weight, 0 for a weight that is zero
 * @param indexBits 1 to 8
 */
export function encodeRelative(codes: Uint8Array, indexBits: number): Entries {
  if (!Number.isInteger(indexBits) || indexBits < 1 || indexBits > 8) {
    throw invalidOption("indexBits", `expected a whole number from 1 to 8, got ${indexBits}`);
  }
  const span = fillerSpan(indexBits);
  const count = countEntries(codes, indexBits);
  const entries = { codes: new Uint8Array(count), gaps: new Uint8Array(count) };
  let entry = 0;
  let gap = 0;
  for (const code of codes) {
    if (code === 0) {
      gap++;
      continue;
    }
    // Fillers keep the code 0 that the array was made with.
    for (; gap >= span; gap -= span) entries.gaps[entry++] = span - 1;
    entries.codes[entry] = code;
    entries.gaps[entry++] = gap;
    gap = 0;
  }
  return entries;
}

/**
 * @param size codes of the dense row
 * @throws VdnnError `ERR_INVALID_MODEL` where the entries reach beyond `size`
 */
export function decodeRelative({ codes, gaps }: Entries, size: number, name = "entries"): Uint8Array {
  const dense = new Uint8Array(size);
  let at = -1;
  for (let i = 0; i < codes.length; i++) {
    at += (gaps[i] ?? 0) + 1;
    if (at >= size) {
      throw invalidModel(name, `entry ${i} of ${codes.length} lies at ${at}, beyond the last of ${size} weights`);
    }
    dense[at] = codes[i] ?? 0;
  }
  return dense;
}

/** Bits of the two streams, codebook not counted. */
export function relativeIndexBits(entries: number, codeBits: number, indexBits: number): number {
  return entries * (codeBits + indexBits);
}

/**
 * Entries per kept weight where weights are kept independently with probability `density` (Bernoulli): so many zeros as k fillers skip
 * lie before a kept weight with probability (1 − density)^(k · span), if the row reaches so far back.
 *
 * @param rowLength weights after which indices start anew; default: never
 */
export function expectedEntriesPerWeight(density: number, indexBits: number, rowLength: number = Infinity): number {
  if (density === 0) return 0;
  const span = fillerSpan(indexBits);
  const skipped = (1 - density) ** span;
  if (rowLength === Infinity) return 1 / (1 - skipped);
  let entries = 1;
  for (let k = 1; k * span < rowLength; k++) entries += (1 - (k * span) / rowLength) * skipped ** k;
  return entries;
}
