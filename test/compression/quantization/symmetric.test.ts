/** Symmetric integers: no value moves by more than half a step, zero stays zero, signs mirror. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dequantize, quantize, quantizedBits } from "../../../src/compression/quantization/symmetric.ts";
import { sparseShape, sparseWeights } from "../sparse.ts";

describe.each([8, 16] as const)("symmetric quantization to %i bits", (bits) => {
  test("moves no value by more than half a step, and zeros not at all", () => {
    fc.assert(
      fc.property(sparseShape, (shape) => {
        const values = sparseWeights(shape);
        const quantized = quantize(values, bits);
        for (const [i, value] of dequantize(quantized).entries()) {
          const original = values[i] ?? 0;
          // A float has 24 bits: the scale and the product are rounded to them.
          const rounding = Math.abs(original) * 2 ** -22;
          expect(Math.abs(value - original)).toBeLessThanOrEqual(quantized.scale / 2 + rounding);
          if (values[i] === 0) expect(value).toBe(0);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("uses all integers but the most negative, and mirrors signs", () => {
    const most = 2 ** (bits - 1) - 1;
    expect([...quantize(Float32Array.of(1, -1, 0), bits).integers]).toEqual([most, -most, 0]);
  });

  test("gives a tensor of zeros the scale 1, and the smallest float too", () => {
    expect(quantize(new Float32Array(3), bits).scale).toBe(1);
    expect([...quantize(Float32Array.of(2 ** -149), bits).integers]).toEqual([0]);
  });

  test("takes its bits for each value, and 32 for the scale", () => {
    expect(quantizedBits(10, bits)).toBe(8 * quantize(new Float32Array(10), bits).integers.byteLength + 32);
  });

  test("refuses values that are not finite", () => {
    expect(() => quantize(Float32Array.of(Number.NaN), bits, "conv1/kernel")).toThrow(
      "conv1/kernel: expected finite values",
    );
  });
});
