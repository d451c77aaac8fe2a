/** Zero-value compression: nothing is lost, and the size is that of the masks and of the words that are not zero. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countNonZero,
  decodeZeroValue,
  encodeZeroValue,
  zeroValueBits,
} from "../../../src/compression/codecs/zero-value.ts";
import { sparseIntegers, sparseShape } from "../sparse.ts";

describe("zero-value compression", () => {
  test.each([16, 32] as const)(
    "loses nothing of %i-bit words, and its size is the formula's, at densities 0.01 to 1",
    (bits) => {
      fc.assert(
        fc.property(sparseShape, (shape) => {
          const integers = sparseIntegers(shape, 2 ** bits);
          const words = bits === 16 ? Uint16Array.from(integers) : Uint32Array.from(integers);
          const packed = encodeZeroValue(words);
          expect(decodeZeroValue(packed, words.length)).toEqual(words);
          expect(packed.byteLength * 8).toBe(zeroValueBits(words.length, countNonZero(words), bits));
        }),
      );
    },
  );

  test("puts the mask first, the first word in its lowest bit", () => {
    expect(encodeZeroValue(Uint32Array.of(0, 8, 0, 9))).toEqual(Uint32Array.of(0b1010, 8, 9));
    const last = new Uint16Array(32);
    last[31] = 5;
    expect(encodeZeroValue(last)).toEqual(Uint16Array.of(0, 0x8000, 5));
  });

  test("costs 3.1 % where no word of 32 bits is zero, and saves 32 times where all are", () => {
    expect(zeroValueBits(3200, 3200, 32) / (3200 * 32)).toBe(1.03125);
    expect(zeroValueBits(3200, 0, 32) / (3200 * 32)).toBe(1 / 32);
  });

  test("compresses 2.6 times at a density of 0.353, the average of the compressing DMA engine (HPCA 2018)", () => {
    expect(1 / (zeroValueBits(32_000, 32_000 * 0.353, 32) / (32_000 * 32))).toBeCloseTo(2.6, 2);
  });

  test("refuses what was cut off or belongs to another length", () => {
    const packed = encodeZeroValue(Uint32Array.of(1, 2, 3));
    expect(() => decodeZeroValue(packed.subarray(0, 3), 3)).toThrow("do not describe 3 words");
    expect(() => decodeZeroValue(packed, 2)).toThrow("do not describe 2 words");
  });
});
