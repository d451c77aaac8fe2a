/** Eyeriss's run-length code: nothing is lost, the size is the formula's, and AlexNet's savings in DRAM follow from it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countPairs,
  decodeRunLength,
  encodeRunLength,
  runLengthBits,
  runLengthFactor,
} from "../../../src/compression/codecs/run-length.ts";
import { sparseIntegers, sparseShape } from "../sparse.ts";

/** Maps of AlexNet, N = 4, per layer: DRAM words of weights and inputs under the mapping of JSSC 2017 table III, and of outputs. */
const ALEXNET = [
  { weights: 1115136, inputs: 751824, outputs: 1161600, inputDensity: null, outputDensity: 0.378, published: 1.24 },
  { weights: 1228800, inputs: 738048, outputs: 746496, inputDensity: 0.6, outputDensity: 0.169, published: 1.36 },
  { weights: 884736, inputs: 1382400, outputs: 259584, inputDensity: 0.275, outputDensity: 0.303, published: 1.7 },
  { weights: 663552, inputs: 1036800, outputs: 259584, inputDensity: 0.207, outputDensity: 0.304, published: 1.87 },
  { weights: 442368, inputs: 691200, outputs: 173056, inputDensity: 0.23, outputDensity: 0.1, published: 1.94 },
] as const;

describe("the run-length code", () => {
  test("loses nothing, and takes 64 bits for every three pairs, at densities 0.01 to 1", () => {
    fc.assert(
      fc.property(sparseShape, (shape) => {
        const levels = Uint16Array.from(sparseIntegers(shape, 1 << 16));
        const words = encodeRunLength(levels);
        expect(decodeRunLength(words, levels.length)).toEqual(levels);
        expect(words.byteLength * 8).toBe(runLengthBits(countPairs(levels)));
      }),
    );
  });

  test("puts three pairs of run and level in a word, the low bits first, and marks the last word", () => {
    const words = encodeRunLength(Uint16Array.of(0, 0, 7, 0xffff, 0, 1, 5));
    expect(words).toEqual(
      BigUint64Array.of(2n | (7n << 5n) | (0xffffn << 26n) | (1n << 42n) | (1n << 47n), (5n << 5n) | (1n << 63n)),
    );
  });

  test("ends a run at 31 zeros, so that a pair (31, 0) stands for 32", () => {
    const levels = new Uint16Array(65);
    levels[64] = 9;
    expect(countPairs(levels)).toBe(3);
    expect(encodeRunLength(levels)).toEqual(BigUint64Array.of(31n | (31n << 21n) | (9n << 47n) | (1n << 63n)));
  });

  test("refuses words that hold more or fewer levels than asked for", () => {
    const words = encodeRunLength(Uint16Array.of(1, 2, 3, 4));
    expect(() => decodeRunLength(words, 40)).toThrow("expected 40 levels, found fewer");
    expect(() => decodeRunLength(encodeRunLength(Uint16Array.of(0, 0, 0, 5)), 2)).toThrow("found more");
  });

  test.each([0.1, 0.207, 0.275, 0.378, 0.6, 1])(
    "takes the expected share of a random map at density %d (within a hundredth)",
    (density) => {
      const length = 600_000;
      const levels = Uint16Array.from(sparseIntegers({ seed: 7, density, length }, 1 << 16));
      const share = encodeRunLength(levels).byteLength / levels.byteLength;
      expect(Math.abs(share / runLengthFactor(density) - 1)).toBeLessThan(0.01);
    },
  );

  test.each(ALEXNET.map((layer, i) => [i + 1, layer] as const))(
    "saves the DRAM traffic of AlexNet's CONV%i that Sparseloop's rerun of JSSC 2017 has, ± 0.02: by formula and on real bits",
    (_, { weights, inputs, outputs, inputDensity, outputDensity, published }) => {
      const saving = (factor: (density: number) => number): number => {
        const compressed =
          weights + inputs * (inputDensity === null ? 1 : factor(inputDensity)) + outputs * factor(outputDensity);
        return (weights + inputs + outputs) / compressed;
      };
      const real = (density: number): number => {
        const levels = Uint16Array.from(sparseIntegers({ seed: 3, density, length: 200_000 }, 1 << 16));
        return encodeRunLength(levels).byteLength / levels.byteLength;
      };
      expect(Math.abs(saving((density) => (4 / 3) * density) - published)).toBeLessThan(0.02);
      expect(Math.abs(saving(real) - published)).toBeLessThan(0.02);
    },
  );
});
