/**
 * Eyeriss's run-length code for feature maps (Chen et al., JSSC 2017, section V-C and figure 8). A 64-bit word holds three pairs of a
 * 5-bit run of zeros and a 16-bit level behind it, and a bit that marks the last word:
 *
 *     bit 0    5        21   26       42   47       63
 *     | run | level   | run | level  | run | level  | last |
 *
 * A run ends at 31, and then its level may itself be 0, so that (31, 0) stands for 32 zeros.
 */
import { invalidModel } from "../invalid.ts";

const LONGEST_RUN = 31;
const PAIRS_PER_WORD = 3;
const PAIR_BITS = 21;
const LAST = 1n << 63n;

/** Pairs that `levels` take: one for each level that is not zero, for each full run, and for zeros at the end. */
export function countPairs(levels: Uint16Array): number {
  let pairs = 0;
  let run = 0;
  for (const level of levels) {
    if (level === 0 && run < LONGEST_RUN) run++;
    else {
      pairs++;
      run = 0;
    }
  }
  return run > 0 ? pairs + 1 : pairs;
}

/** Bits of `pairs` pairs. */
export function runLengthBits(pairs: number): number {
  return 64 * Math.ceil(pairs / PAIRS_PER_WORD);
}

/** @param levels 16-bit words of the map; a view of an Int16Array's buffer keeps signs */
export function encodeRunLength(levels: Uint16Array): BigUint64Array {
  const words = new BigUint64Array(Math.ceil(countPairs(levels) / PAIRS_PER_WORD));
  // Little-endian halves: bit shifts of numbers are a hundred times faster than those of bigints.
  const halves = new Uint32Array(words.buffer);
  let pair = 0;
  let run = 0;
  const put = (level: number): void => {
    const bit = 64 * Math.floor(pair / PAIRS_PER_WORD) + PAIR_BITS * (pair % PAIRS_PER_WORD);
    const half = bit >>> 5;
    const shift = bit & 31;
    const value = run | (level << 5);
    halves[half] = (halves[half] ?? 0) | (value << shift);
    if (shift + PAIR_BITS > 32) halves[half + 1] = (halves[half + 1] ?? 0) | (value >>> (32 - shift));
    pair++;
    run = 0;
  };
  for (const level of levels) {
    if (level === 0 && run < LONGEST_RUN) run++;
    else put(level);
  }
  // The last of the zeros at the end is the level of their pair.
  if (run-- > 0) put(0);
  if (words.length > 0) words[words.length - 1] = (words[words.length - 1] ?? 0n) | LAST;
  return words;
}

/**
 * @param length levels of the map: pairs that fill up the last word say nothing
 * @throws VdnnError `ERR_INVALID_MODEL` where the words hold more or fewer
 */
export function decodeRunLength(words: BigUint64Array, length: number): Uint16Array {
  const levels = new Uint16Array(length);
  const halves = new Uint32Array(words.buffer, words.byteOffset, words.length * 2);
  const pairs = words.length * PAIRS_PER_WORD;
  let at = 0;
  for (let pair = 0; pair < pairs && at < length; pair++) {
    const bit = 64 * Math.floor(pair / PAIRS_PER_WORD) + PAIR_BITS * (pair % PAIRS_PER_WORD);
    const shift = bit & 31;
    let value = (halves[bit >>> 5] ?? 0) >>> shift;
    if (shift + PAIR_BITS > 32) value |= (halves[(bit >>> 5) + 1] ?? 0) << (32 - shift);
    at += value & LONGEST_RUN;
    if (at >= length) throw wrongLength(length, "more");
    levels[at++] = (value >>> 5) & 0xffff;
  }
  if (at < length) throw wrongLength(length, "fewer");
  return levels;
}

/**
 * What a map is stored in, in shares of its 16-bit words, where words are not zero with probability `density`: 4/3 of the density,
 * and a little more for runs that are too long. Above 1 where density is above 0.75: such a map is better left as it is.
 */
export function runLengthFactor(density: number): number {
  if (density === 0) return 64 / PAIRS_PER_WORD / 16 / (LONGEST_RUN + 1);
  const pairsPerLevel = 1 / (1 - (1 - density) ** (LONGEST_RUN + 1));
  return (64 / PAIRS_PER_WORD / 16) * density * pairsPerLevel;
}

function wrongLength(length: number, comparison: string): Error {
  return invalidModel("run-length words", `expected ${length} levels, found ${comparison}`);
}
