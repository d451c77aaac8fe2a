/** Huffman codes: nothing is lost, the size is the sum of the code lengths, and no code is shorter by more than a bit than entropy. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeLengths, entropy, histogram } from "../../../src/compression/codecs/huffman-lengths.ts";
import { decodeHuffman, encodeHuffman, huffmanBits, huffmanBitsOf } from "../../../src/compression/codecs/huffman.ts";
import { sparseIntegers, sparseShape } from "../sparse.ts";

describe("Huffman coding", () => {
  test.each([16, 256])("of %i symbols loses nothing, and its size is the formula's", (alphabet) => {
    fc.assert(
      fc.property(sparseShape, (shape) => {
        const symbols = Uint8Array.from(sparseIntegers(shape, alphabet));
        const stream = encodeHuffman(symbols, alphabet);
        expect(decodeHuffman(stream)).toEqual(symbols);
        const bits = huffmanBits(histogram(symbols, alphabet), stream.lengths);
        expect(bits).toBe(huffmanBitsOf(symbols, alphabet));
        expect(stream.bytes).toHaveLength(Math.ceil(bits / 8));
      }),
    );
  });

  test("takes between the entropy and one bit more per symbol", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 256 }), (array) => {
        const counts = Float64Array.from(array);
        const total = counts.reduce((sum, count) => sum + count, 0);
        fc.pre(counts.filter((count) => count > 0).length >= 2);
        const perSymbol = huffmanBits(counts, codeLengths(counts)) / total;
        expect(perSymbol).toBeGreaterThanOrEqual(entropy(counts) - 1e-9);
        expect(perSymbol).toBeLessThan(entropy(counts) + 1);
      }),
    );
  });

  test("gives consecutive codes to symbols of one length, the shorter lengths first", () => {
    // c: 0, a: 10, b: 110, d: 111
    const { lengths, bytes } = encodeHuffman(Uint8Array.of(2, 2, 2, 2, 0, 0, 1, 3), 4);
    expect(lengths).toEqual(Uint8Array.of(2, 3, 1, 3));
    expect(bytes).toEqual(Uint8Array.of(0b00001010, 0b11011100));
  });

  test("codes a symbol that occurs alone with one bit, and no symbols with none", () => {
    const alone = encodeHuffman(new Uint8Array(17).fill(9), 16);
    expect(alone.bytes).toHaveLength(3);
    expect(decodeHuffman(alone)).toEqual(new Uint8Array(17).fill(9));
    const none = encodeHuffman(new Uint8Array(0), 16);
    expect(none.bytes).toHaveLength(0);
    expect(decodeHuffman(none)).toHaveLength(0);
  });

  test("handles codes longer than 24 bits, which counts like Fibonacci numbers give", () => {
    const symbols: number[] = [];
    let [count, next] = [1, 1];
    for (let symbol = 0; symbol < 28; symbol++) {
      for (let i = 0; i < count; i++) symbols.push(symbol);
      [count, next] = [next, count + next];
    }
    const stream = encodeHuffman(Uint8Array.from(symbols), 28);
    expect(Math.max(...stream.lengths)).toBe(27);
    expect(Buffer.compare(decodeHuffman(stream), Uint8Array.from(symbols))).toBe(0);
  });

  test("refuses streams that end early and lengths that are no code", () => {
    const stream = encodeHuffman(Uint8Array.of(0, 1, 2, 3, 0, 1, 2, 3, 0), 4);
    expect(() => decodeHuffman({ ...stream, bytes: stream.bytes.subarray(0, 1) })).toThrow("after 4 of 9 symbols");
    for (const lengths of [
      [1, 1, 1],
      [2, 2],
      [60, 1],
      [0, 0],
    ]) {
      expect(() => decodeHuffman({ ...stream, lengths: Uint8Array.from(lengths) })).toThrow(
        "not those of a Huffman code",
      );
    }
  });

  test("codes and decodes 7 million entries in seconds", () => {
    const symbols = Uint8Array.from(sparseIntegers({ seed: 1, density: 0.8, length: 7_000_000 }, 256));
    const start = performance.now();
    expect(Buffer.compare(decodeHuffman(encodeHuffman(symbols, 256)), symbols)).toBe(0);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
