/** Compressed layers: dense weights come back as they were shared, and a layer that breaks its promises is refused by name. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countEntries } from "../../src/compression/codecs/relative-index.ts";
import { bestIndexBits, checkLayer, codesOf, compressLayer, decodeLayer } from "../../src/compression/layer.ts";
import { lookUp, shareWeights } from "../../src/compression/sharing/share.ts";
import { sparseShape, sparseWeights } from "./sparse.ts";

const LAYER = compressLayer(
  { name: "fc", shape: [10, 20], weights: sparseWeights({ seed: 1, density: 0.2, length: 200 }) },
  { codeBits: 4, indexBits: 4 },
);

describe("a compressed layer", () => {
  test("decodes to the shared weights, at densities 0.01 to 1", () => {
    fc.assert(
      fc.property(sparseShape, fc.integer({ min: 1, max: 8 }), (shape, codeBits) => {
        const weights = sparseWeights(shape);
        const { codes, codebook } = shareWeights(weights, { codeBits });
        const layer = compressLayer({ name: "fc", shape: [weights.length], weights }, { codeBits });
        expect(codesOf(layer)).toEqual(codes);
        expect(decodeLayer(layer)).toEqual(lookUp(codes, codebook));
      }),
      { numRuns: 50 },
    );
  });

  test("has gaps of the width that takes the fewest bits, where none is asked for", () => {
    const { codes } = shareWeights(sparseWeights({ seed: 3, density: 0.05, length: 10_000 }), { codeBits: 5 });
    const bits = (indexBits: number): number => countEntries(codes, indexBits) * (5 + indexBits);
    const best = bestIndexBits(codes, 5);
    for (let indexBits = 1; indexBits <= 8; indexBits++) expect(bits(best)).toBeLessThanOrEqual(bits(indexBits));
  });

  test.each([
    [{ codeBits: 9 }, "codes of 1 to 8 bits, got 9"],
    [{ indexBits: 0 }, "gaps of 1 to 8 bits, got 0"],
    [{ codeBits: 3 }, "3 bits need a codebook of 8 weights, got 16"],
    [{ codebook: new Float32Array(16).fill(1) }, "expected code 0 to stand for 0, not for 1"],
    [{ shape: [10] }, "of 10"],
    [{ entries: { codes: Uint8Array.of(16), gaps: Uint8Array.of(0) } }, "code 16 of entry 0 does not fit 4 bits"],
    [{ entries: { codes: Uint8Array.of(1), gaps: Uint8Array.of(16) } }, "gap 16 of entry 0 does not fit 4 bits"],
    [{ entries: { codes: Uint8Array.of(1), gaps: new Uint8Array() } }, "has 1 codes but 0 gaps"],
    [{ bias: Float32Array.of(Number.NaN) }, "fc: bias: expected finite values"],
  ])("is refused with %j", (change, message) => {
    expect(() => {
      checkLayer({ ...LAYER, ...change });
    }).toThrow(message);
  });

  test("is refused where there are not as many weights as the shape has", () => {
    expect(() => compressLayer({ name: "fc", shape: [3], weights: new Float32Array(2) }, { codeBits: 2 })).toThrow(
      "fc: expected 3 weights for the shape [3], got 2",
    );
  });
});
