/**
 * Canonical Huffman codes of symbols below 256 (Huffman 1952; Han et al., ICLR 2016, section 4). Only the lengths of the codes need to
 * be stored: codes of one length are consecutive, in the order of their symbols, and follow on the shorter ones. Bits are
 * written from the high bit of each byte down.
 */
import { invalidModel } from "../invalid.ts";
import { codeLengths, histogram } from "./huffman-lengths.ts";

export interface HuffmanStream {
  /** Bits of each symbol's code, 0 where it does not occur. */
  readonly lengths: Uint8Array;
  readonly bytes: Uint8Array;
  /** Symbols in `bytes`. */
  readonly count: number;
}

/** Bits that go through the shifts of 32-bit numbers at once, with up to 7 of the byte before. */
const CHUNK = 24;
/** No longer code arises before 2^36 symbols: counts would have to grow like Fibonacci numbers. */
const LONGEST = 2 * CHUNK;

/** Bits of symbols that occur as often as `counts` says, table of lengths not counted. */
export function huffmanBits(counts: ArrayLike<number>, lengths: Uint8Array): number {
  return lengths.reduce((bits, length, symbol) => bits + length * (counts[symbol] ?? 0), 0);
}

/** Bits of `symbols` under their own best code, without encoding them. */
export function huffmanBitsOf(symbols: Uint8Array, alphabet: number): number {
  const counts = histogram(symbols, alphabet);
  return huffmanBits(counts, codeLengths(counts));
}

/** @param alphabet symbols are below it; at most 256 */
export function encodeHuffman(symbols: Uint8Array, alphabet: number): HuffmanStream {
  const counts = histogram(symbols, alphabet);
  const lengths = codeLengths(counts);
  const codes = canonicalCodes(lengths);
  const bytes = new Uint8Array(Math.ceil(huffmanBits(counts, lengths) / 8));
  let at = 0;
  let pending = 0;
  let held = 0;
  const put = (code: number, length: number): void => {
    pending = (pending << length) | code;
    held += length;
    while (held >= 8) {
      held -= 8;
      bytes[at++] = pending >>> held;
    }
    pending &= 0xff >>> (8 - held);
  };
  for (const symbol of symbols) {
    const length = lengths[symbol] ?? 0;
    const code = codes[symbol] ?? 0;
    if (length <= CHUNK) put(code, length);
    else {
      put(Math.floor(code / 2 ** CHUNK), length - CHUNK);
      put(code % 2 ** CHUNK, CHUNK);
    }
  }
  if (held > 0) bytes[at] = pending << (8 - held);
  return { lengths, bytes, count: symbols.length };
}

/** @throws VdnnError `ERR_INVALID_MODEL` where the lengths are no code or the bytes end before `count` symbols */
export function decodeHuffman({ lengths, bytes, count }: HuffmanStream, name = "Huffman stream"): Uint8Array {
  const symbols = new Uint8Array(count);
  if (count === 0) return symbols;
  const { perLength, ordered } = canonicalOrder(lengths, name);
  const bits = bytes.length * 8;
  let bit = 0;
  for (let i = 0; i < count; i++) {
    // One bit longer at a time: `offset` is the code's distance from the first of its length.
    let offset = 0;
    let before = 0;
    for (let length = 1; ; length++) {
      if (bit === bits || length >= perLength.length) throw cutOff(name, i, count);
      offset = 2 * offset + (((bytes[bit >>> 3] ?? 0) >>> (7 - (bit & 7))) & 1);
      bit++;
      const here = perLength[length] ?? 0;
      if (offset < here) {
        symbols[i] = ordered[before + offset] ?? 0;
        break;
      }
      offset -= here;
      before += here;
    }
  }
  return symbols;
}

/** Codes of all symbols; exact as doubles. */
function canonicalCodes(lengths: Uint8Array): Float64Array {
  const codes = new Float64Array(lengths.length);
  let next = 0;
  let length = 0;
  for (const symbol of bySymbolOfLength(lengths)) {
    const longer = lengths[symbol] ?? 0;
    next *= 2 ** (longer - length);
    length = longer;
    codes[symbol] = next++;
  }
  return codes;
}

function canonicalOrder(lengths: Uint8Array, name: string): { perLength: Uint32Array; ordered: Uint8Array } {
  const ordered = Uint8Array.from(bySymbolOfLength(lengths));
  const perLength = new Uint32Array((lengths[ordered.at(-1) ?? 0] ?? 0) + 1);
  let used = 0;
  for (const symbol of ordered) {
    const length = lengths[symbol] ?? 0;
    perLength[length] = (perLength[length] ?? 0) + 1;
    used += 2 ** -length;
  }
  // Kraft's equality, exact as doubles up to LONGEST; a single symbol has a code of one bit and leaves the other unused.
  const longest = perLength.length - 1;
  if (longest > LONGEST || (used !== 1 && !(ordered.length === 1 && used === 0.5))) {
    throw invalidModel(name, `its ${ordered.length} code lengths are not those of a Huffman code`);
  }
  return { perLength, ordered };
}

function bySymbolOfLength(lengths: Uint8Array): number[] {
  const present = [...lengths.keys()].filter((symbol) => lengths[symbol] !== 0);
  return present.sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
}

function cutOff(name: string, decoded: number, count: number): Error {
  return invalidModel(name, `ends or breaks after ${decoded} of ${count} symbols`);
}
