/** Magnitude pruning: what stays is never smaller than what goes, and as much as was asked for. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyMask, countKept, pruneMask, standardDeviation } from "../../src/compression/pruning.ts";
import { sparseShape, sparseWeights } from "./sparse.ts";

describe("magnitude pruning", () => {
  test("to a share keeps exactly that many weights, and none that is smaller than one that goes", () => {
    fc.assert(
      fc.property(sparseShape, fc.double({ min: 0, max: 1, noNaN: true }), (shape, share) => {
        const weights = sparseWeights(shape);
        const mask = pruneMask(weights, { kind: "kept", share });
        expect(countKept(mask)).toBe(Math.round(share * weights.length));
        let [smallestKept, largestPruned] = [Infinity, 0];
        for (const [i, weight] of weights.entries()) {
          if (mask[i] === 1) smallestKept = Math.min(smallestKept, Math.abs(weight));
          else largestPruned = Math.max(largestPruned, Math.abs(weight));
        }
        expect(largestPruned).toBeLessThanOrEqual(smallestKept);
      }),
    );
  });

  test("keeps the first of equal weights", () => {
    expect(pruneMask(Float32Array.of(1, -1, 1, -1), { kind: "kept", share: 0.5 })).toEqual(Uint8Array.of(1, 1, 0, 0));
  });

  test("by threshold removes zeros alone, or what is near zero too", () => {
    const weights = Float32Array.of(0, 1e-6, -0.5, -0, 0.1);
    expect(pruneMask(weights, { kind: "threshold", magnitude: 0 })).toEqual(Uint8Array.of(0, 1, 1, 0, 1));
    expect(pruneMask(weights, { kind: "threshold", magnitude: 1e-3 })).toEqual(Uint8Array.of(0, 0, 1, 0, 1));
  });

  test("by quality removes what is within so many standard deviations (Han 2015, section 3.1)", () => {
    const weights = Float32Array.of(3, -3, 1, -1);
    expect(standardDeviation(weights)).toBeCloseTo(Math.sqrt(5), 12);
    expect(pruneMask(weights, { kind: "quality", quality: 1 })).toEqual(Uint8Array.of(1, 1, 0, 0));
    expect(pruneMask(weights, { kind: "quality", quality: 0.4 })).toEqual(Uint8Array.of(1, 1, 1, 1));
  });

  test("a second round with the same quality prunes further, since zeros do not count", () => {
    const weights = sparseWeights({ seed: 5, density: 1, length: 10_000 });
    const rule = { kind: "quality", quality: 0.5 } as const;
    const first = applyMask(weights, pruneMask(weights, rule));
    expect(countKept(pruneMask(first, rule))).toBeLessThan(countKept(pruneMask(weights, rule)));
  });

  test("puts zeros where the mask has them", () => {
    expect(applyMask(Float32Array.of(1, -2, 3), Uint8Array.of(1, 0, 1))).toEqual(Float32Array.of(1, 0, 3));
  });

  test("refuses shares beyond 0 to 1, negative thresholds and weights that are not finite", () => {
    const weights = Float32Array.of(1, 2);
    expect(() => pruneMask(weights, { kind: "kept", share: 1.2 })).toThrow("expected a share from 0 to 1, got 1.2");
    expect(() => pruneMask(weights, { kind: "threshold", magnitude: -1 })).toThrow(
      "threshold: expected a finite number",
    );
    expect(() => pruneMask(weights, { kind: "quality", quality: Number.NaN })).toThrow(
      "quality: expected a finite number",
    );
    expect(() => pruneMask(Float32Array.of(Number.NaN), { kind: "kept", share: 1 })).toThrow("found NaN at 0");
  });
});
