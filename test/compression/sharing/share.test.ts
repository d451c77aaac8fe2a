/** Weight sharing: k-means settles, codes stand for the nearest centroid, and bits that are too few are refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { initialCentroids, INITIALIZATIONS } from "../../../src/compression/sharing/initial.ts";
import { assignCodes, centroidGradients, lookUp, shareWeights } from "../../../src/compression/sharing/share.ts";
import { hasCode } from "../../../src/errors.ts";
import { sparseShape, sparseWeights } from "../sparse.ts";

describe.each(INITIALIZATIONS)("weight sharing that starts %s", (initialization) => {
  test("gives every weight the code of a nearest centroid, and zero the code 0", () => {
    fc.assert(
      fc.property(sparseShape, fc.integer({ min: 1, max: 6 }), (shape, codeBits) => {
        const weights = sparseWeights(shape);
        const { codebook, codes } = shareWeights(weights, { codeBits, initialization });
        expect(codebook).toHaveLength(2 ** codeBits);
        expect(codebook[0]).toBe(0);
        for (const [i, weight] of weights.entries()) {
          const code = codes[i] ?? 0;
          expect(code === 0).toBe(weight === 0);
          if (weight === 0) continue;
          const distance = Math.abs(weight - (codebook[code] ?? 0));
          for (const centroid of codebook.subarray(1)) {
            // Where fewer centroids were needed the rest of the codebook is 0, and no code refers to it.
            if (centroid !== 0) expect(distance).toBeLessThanOrEqual(Math.abs(weight - centroid) + 1e-7);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("ends where every centroid is the mean of its weights", () => {
    const weights = sparseWeights({ seed: 4, density: 0.3, length: 20_000 });
    const { codebook, codes } = shareWeights(weights, { codeBits: 4, initialization });
    for (let code = 1; code < 16; code++) {
      const mine = weights.filter((_, i) => codes[i] === code);
      const mean = mine.reduce((sum, weight) => sum + weight, 0) / mine.length;
      if (mine.length > 0) expect(codebook[code]).toBeCloseTo(mean, 6);
    }
  });

  test("is the same every time", () => {
    const weights = sparseWeights({ seed: 4, density: 0.5, length: 5000 });
    const options = { codeBits: 5, initialization, seed: 3 } as const;
    expect(shareWeights(weights, options)).toEqual(shareWeights(weights, options));
  });
});

describe("weight sharing", () => {
  test("is lossless where the bits hold all different weights", () => {
    const weights = Float32Array.of(0.5, 0, -1, 0.25, 0.5, 0, -1);
    const { codes, codebook, meanSquaredError } = shareWeights(weights, { codeBits: 2 });
    expect(codebook).toEqual(Float32Array.of(0, -1, 0.25, 0.5));
    expect(lookUp(codes, codebook)).toEqual(weights);
    expect(meanSquaredError).toBe(0);
  });

  test("changes weights less the more bits there are", () => {
    const weights = sparseWeights({ seed: 8, density: 0.2, length: 20_000 });
    const errors = [1, 2, 3, 4, 5, 6, 7, 8].map((codeBits) => shareWeights(weights, { codeBits }).meanSquaredError);
    expect(errors).toEqual([...errors].sort((a, b) => b - a));
  });

  test("starts at even steps of the range, of the distribution, or at weights drawn with the seed", () => {
    const sorted = Float32Array.of(-4, -1, -0.5, -0.25, 0.25, 0.5, 1, 4);
    expect([...initialCentroids(sorted, 3, "linear", 1)]).toEqual([-4, 0, 4]);
    expect([...initialCentroids(sorted, 4, "density", 1)]).toEqual([-1, -0.25, 0.5, 4]);
    const drawn = [...initialCentroids(sorted, 8, "random", 1)];
    expect(drawn).toEqual([...sorted]);
  });

  test("shares a million weights in well under seconds", () => {
    const weights = sparseWeights({ seed: 1, density: 1, length: 1_000_000 });
    const start = performance.now();
    shareWeights(weights, { codeBits: 8 });
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test("refuses bits that cannot hold the centroids, and says which can", () => {
    const share = (codeBits: number, clusters: number): unknown => {
      try {
        return shareWeights(Float32Array.of(1), { codeBits, clusters });
      } catch (error) {
        return error;
      }
    };
    const error = share(4, 16);
    expect(hasCode(error, "ERR_INVALID_OPTION")).toBe(true);
    expect(String(error)).toContain(
      "4 bits hold 15 centroids beside zero, but 16 are asked for; use 5 bits or at most 15",
    );
    expect(String(share(8, 256))).toContain("use at most 8 bits and 255 clusters");
    expect(String(share(9, 2))).toContain("expected a whole number from 1 to 8, got 9");
  });

  test.each([Number.NaN, Infinity])("refuses weights that are %d", (bad) => {
    expect(() => shareWeights(Float32Array.of(1, bad), { codeBits: 4 }, "fc1/kernel")).toThrow(
      /fc1\/kernel: expected finite values, found (NaN|Infinity) at 1/,
    );
  });

  test("gives a weight half-way between two centroids to the lower one", () => {
    expect(assignCodes(Float32Array.of(1.5, 1.6, 0), Float32Array.of(1, 2))).toEqual(Uint8Array.of(1, 2, 0));
  });

  test("sums the gradients of the weights that share a centroid, and keeps zero at zero", () => {
    const gradients = Float32Array.of(1, 2, 4, 8, 16);
    expect(centroidGradients(Uint8Array.of(0, 1, 2, 1, 0), gradients, 4)).toEqual(Float32Array.of(0, 10, 4, 0));
    expect(() => centroidGradients(Uint8Array.of(0), gradients, 4)).toThrow(
      "expected one for each of 1 weights, got 5",
    );
  });
});
