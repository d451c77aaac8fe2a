import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Accumulation,
  ACCUMULATIONS_OF,
  arithmeticOf,
  LARGEST,
} from "../../../src/accelerator/arithmetic/arithmetic.ts";
import { encode } from "../../../src/accelerator/arithmetic/encode.ts";
import { roundHalfEven } from "../../../src/accelerator/arithmetic/rounding.ts";
import { referenceProduct } from "../../../src/accelerator/arithmetic/reference.ts";
import { accumulatorScale, summationOf } from "../../../src/accelerator/arithmetic/product.ts";
import { writeBack } from "../../../src/accelerator/arithmetic/write-back.ts";
import { PRECISIONS } from "../../../src/accelerator/energy.ts";
import { hasCode } from "../../../src/errors.ts";

const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), {
  minLength: 1,
  maxLength: 20,
});

describe("encoding to integers", () => {
  it.each(["int16", "int8"] as const)(
    "%s by the largest magnitude loses at most half a step, and never saturates",
    (precision) => {
      for (const scaling of ["power-of-two", "symmetric"] as const) {
        fc.assert(
          fc.property(floats, (values) => {
            const { codes, scale, saturated, largest } = encode(
              values,
              arithmeticOf(precision, undefined, scaling),
              "inputs",
            );
            expect(saturated).toBe(0);
            expect(largest).toBeLessThanOrEqual(LARGEST[precision]);
            values.forEach((value, i) => {
              expect(Math.abs((codes[i] as number) * scale - value)).toBeLessThanOrEqual(scale * 0.5000001);
            });
          }),
        );
      }
    },
  );

  it("scales by a power of two that uses more than half of the range, so that scaling is a shift", () => {
    fc.assert(
      fc.property(floats, (values) => {
        const { scale, largest } = encode(values, arithmeticOf("int16"), "inputs");
        expect(Number.isInteger(Math.log2(scale))).toBe(true);
        if (values.some((value) => value !== 0)) expect(largest).toBeGreaterThan(LARGEST.int16 / 2 - 1);
      }),
    );
  });

  it("with fixed fraction bits saturates what does not fit, and counts it", () => {
    const arithmetic = arithmeticOf("int8", "int32", { inputs: 4, weights: 7, outputs: 4 });
    const { codes, scale, saturated, nonZero } = encode([7.9375, 8, -100, 0.03, 0.09375], arithmetic, "inputs");
    // 0.09375 is 1.5 steps: ties go to the even one.
    expect([...codes]).toEqual([127, 127, -127, 0, 2]);
    expect({ scale, saturated, nonZero }).toEqual({ scale: 1 / 16, saturated: 2, nonZero: 4 });
  });
});

describe("encoding to half precision", () => {
  it("keeps 2048 and rounds 2049 to the even neighbour; 65519 is the last that fits, 65520 saturates", () => {
    const { codes, saturated } = encode(
      [2048, 2049, 2051, 65519, 65520, -1e9, 2 ** -25],
      arithmeticOf("fp16"),
      "inputs",
    );
    expect([...codes]).toEqual([2048, 2048, 2052, 65504, 65504, -65504, 0]);
    expect(saturated).toBe(2);
  });
});

describe("the shift before an integer accumulator", () => {
  it.each(["int16", "int32"] as const)("is the least with which no %s sum can overflow", (accumulate) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32767 }), fc.integer({ min: 1, max: 32767 * 16 }), (largest, norm) => {
        const depth = 16;
        const summation = summationOf(arithmeticOf("int16", accumulate), largest, norm, depth);
        if (!("shift" in summation)) {
          expect(largest * norm).toBeLessThan(2 ** 24);
          return;
        }
        const worst = (shift: number) => (largest * norm) / 2 ** shift + (shift === 0 ? 0 : depth / 2);
        expect(worst(summation.shift)).toBeLessThanOrEqual(LARGEST[accumulate]);
        if (summation.shift > 0) expect(worst(summation.shift - 1)).toBeGreaterThan(LARGEST[accumulate]);
      }),
    );
  });
});

describe("writing back", () => {
  const pairs = PRECISIONS.flatMap((precision) =>
    ACCUMULATIONS_OF[precision].map((accumulate) => [precision, accumulate] as const),
  );
  /** Largest error relative to the largest output: the operands' rounding, and for 16-bit sums the bits shifted out. */
  const tolerance: Readonly<Record<string, number>> = { fp32: 1e-6, fp16: 5e-3, int16: 1e-2, int8: 5e-2 };

  it.each(pairs)(
    "%s summed in %s is near the real numbers, and biased and rectified as they are",
    (precision, accumulate) => {
      const [rows, depth, columns] = [8, 64, 6];
      const wave = (step: number) => (_: unknown, i: number) => Math.fround(Math.sin(i * step) * 3);
      const left = Float32Array.from({ length: rows * depth }, wave(1.7));
      const right = Float32Array.from({ length: depth * columns }, wave(2.3));
      const bias = Float32Array.from({ length: columns }, wave(0.9));
      const arithmetic = arithmeticOf(precision, accumulate);
      const [x, w] = [encode(left, arithmetic, "inputs"), encode(right, arithmetic, "weights")];
      const norms = Array.from({ length: columns }, (_, column) =>
        w.codes.reduce((sum, code, i) => (i % columns === column ? sum + Math.abs(code) : sum), 0),
      );
      const summation = summationOf(arithmetic, x.largest, Math.max(...norms), depth);
      const product = { left: x.codes, right: w.codes, groups: 1, rows, depth, columns };
      const { values: sums, saturated } = referenceProduct(product, summation);
      const { values, nonZero } = writeBack(sums, accumulatorScale(x, w, summation), bias, "relu", arithmetic);
      const exact = Float64Array.from({ length: rows * columns }, (_, at) => {
        const [row, column] = [Math.floor(at / columns), at % columns];
        let sum = bias[column] as number;
        for (let k = 0; k < depth; k++)
          sum += (left[row * depth + k] as number) * (right[k * columns + column] as number);
        return Math.max(0, sum);
      });
      const largest = exact.reduce((most, value) => Math.max(most, value), 0);
      expect(saturated).toBe(0);
      exact.forEach((value, at) => {
        expect(Math.abs((values[at] as number) - value) / largest).toBeLessThan(tolerance[precision] as number);
      });
      expect(nonZero).toBe(values.filter((value) => value !== 0).length);
    },
  );

  it("counts the accumulators that a bias takes out of their range", () => {
    const arithmetic = arithmeticOf("int16", "int16", { inputs: 0, weights: 0, outputs: 0 });
    const { values, saturatedSums } = writeBack(Float64Array.of(32000, -5), 1, [1000], "linear", arithmetic);
    expect([...values]).toEqual([32767, 995]);
    expect(saturatedSums).toBe(1);
  });
});

describe("options", () => {
  it("refuse an accumulator narrower than its operands, naming those that go with them", () => {
    const attempt = () => arithmeticOf("int8", "fp16");
    expect(attempt).toThrow("accumulate: products of int8 are summed in int32 or int16 or fp32, got fp16");
    try {
      attempt();
    } catch (error) {
      expect(hasCode(error, "ERR_INVALID_OPTION")).toBe(true);
    }
  });

  it("refuse unknown names and fraction bits that are no whole numbers", () => {
    expect(() => arithmeticOf("int4")).toThrow("precision: expected fp32, fp16, int16, int8, got int4");
    expect(() => arithmeticOf("fp16", "fp8")).toThrow("accumulate: expected fp32, fp16, int32, int16, got fp8");
    const bits = { inputs: 8, weights: 1.5, outputs: 8 };
    expect(() => arithmeticOf("int16", "int32", bits)).toThrow("scaling.weights: expected a whole number");
  });

  it("default to the widest accumulator of a precision", () => {
    const defaults: Record<string, Accumulation> = { fp32: "fp32", fp16: "fp32", int16: "int32", int8: "int32" };
    for (const precision of PRECISIONS) expect(arithmeticOf(precision).accumulate).toBe(defaults[precision]);
  });
});

describe("rounding half to even", () => {
  it("differs from the nearest whole number at ties only, and is even there", () => {
    expect([-1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6].map((x) => roundHalfEven(x) + 0)).toEqual([-2, 0, 0, 2, 2, 2, -3]);
  });
});
