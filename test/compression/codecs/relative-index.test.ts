/** Relative indices with fillers, the packing of few bits, and how many fillers are to be expected. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packBits, packedBytes, unpackBits } from "../../../src/compression/codecs/bits.ts";
import {
  countEntries,
  decodeRelative,
  encodeRelative,
  expectedEntriesPerWeight,
  relativeIndexBits,
} from "../../../src/compression/codecs/relative-index.ts";
import { sparseIntegers, sparseShape } from "../sparse.ts";

describe("relative indices", () => {
  test.each([4, 5, 8])("of %i bits lose nothing, and their streams have the size of the formula", (indexBits) => {
    fc.assert(
      fc.property(sparseShape, (shape) => {
        const codes = Uint8Array.from(sparseIntegers(shape, 256));
        const entries = encodeRelative(codes, indexBits);
        expect(decodeRelative(entries, codes.length)).toEqual(codes);
        expect(entries.codes.length).toBe(countEntries(codes, indexBits));
        const [codeBytes, gapBytes] = [packBits(entries.codes, 8).length, packBits(entries.gaps, indexBits).length];
        const bits = relativeIndexBits(entries.codes.length, 8, indexBits);
        // Each stream ends on a byte.
        expect(8 * (codeBytes + gapBytes) - bits).toBeLessThan(8);
        expect(codeBytes + gapBytes).toBe(Math.ceil(bits / 8));
      }),
    );
  });

  test("put a filler where the gap is too large, as in figure 2 of the paper (3 bits)", () => {
    const codes = new Uint8Array(17);
    codes[1] = 34;
    codes[4] = 9;
    codes[15] = 17;
    expect(encodeRelative(codes, 3)).toEqual({ codes: Uint8Array.of(34, 9, 0, 17), gaps: Uint8Array.of(1, 2, 7, 2) });
  });

  test("do not store zeros at the end", () => {
    expect(encodeRelative(new Uint8Array(1000), 4).codes).toHaveLength(0);
  });

  test("refuse entries beyond the last weight, and gaps of 0 or 9 bits", () => {
    const entries = encodeRelative(Uint8Array.of(0, 0, 3), 4);
    expect(() => decodeRelative(entries, 2, "fc6")).toThrow(
      "fc6: entry 0 of 1 lies at 2, beyond the last of 2 weights",
    );
    for (const bits of [0, 9, 2.5]) expect(() => encodeRelative(Uint8Array.of(1), bits)).toThrow("from 1 to 8");
  });

  test.each([
    [0.04, 5],
    [0.09, 4],
    [0.25, 4],
  ])(
    "need as many entries per weight as expected of independent weights, density %d and %i bits (within a hundredth)",
    (density, bits) => {
      const codes = Uint8Array.from(sparseIntegers({ seed: 5, density, length: 1_000_000 }, 16));
      const kept = codes.filter((code) => code !== 0).length;
      const ratio = countEntries(codes, bits) / kept / expectedEntriesPerWeight(density, bits);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.01);
    },
  );
});

describe("packed bits", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("of %i bits are read back, and take no more bytes than they must", (bits) => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 2 ** bits - 1 }), (values) => {
        const bytes = packBits(values, bits);
        expect(bytes).toHaveLength(packedBytes(values.length, bits));
        expect(unpackBits(bytes, bits, values.length)).toEqual(values);
      }),
    );
  });

  test("put the first of two values of 4 bits in the low nibble", () => {
    expect(packBits(Uint8Array.of(1, 2, 3), 4)).toEqual(Uint8Array.of(0x21, 0x03));
  });
});
