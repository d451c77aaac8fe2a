/** Half precision: every half is read back, and every float goes to the nearest of them, ties to even. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fromHalf,
  fromHalves,
  halfBits,
  roundToHalf,
  toHalf,
  toHalves,
} from "../../../src/compression/quantization/half.ts";

const ALL = Array.from({ length: 1 << 16 }, (_, half) => half);

describe("half precision", () => {
  test("reads all 65,536 halves back as they were", () => {
    for (const half of ALL) {
      const value = fromHalf(half);
      if (Number.isNaN(value)) expect(fromHalf(toHalf(value))).toBeNaN();
      else if (toHalf(value) !== half) expect.fail(`${half} became ${toHalf(value)}`);
    }
  });

  test("sends what lies half-way between two halves to the even one, and a float to either side to the nearer", () => {
    for (let half = 0; half < 0x7bff; half++) {
      const middle = (fromHalf(half) + fromHalf(half + 1)) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const step = middle * 2 ** -20;
      const got = [toHalf(middle), toHalf(-middle), toHalf(middle - step), toHalf(middle + step)];
      const expected = [even, even | 0x8000, half, half + 1];
      if (got.some((value, i) => value !== expected[i]))
        expect.fail(`${middle}: expected ${expected.join()}, got ${got.join()}`);
    }
  });

  test("is never further from a float than the neighbours are", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65504, max: 65504 }), (value) => {
        const half = toHalf(value);
        const distance = Math.abs(value - fromHalf(half));
        for (const neighbour of [half - 1, half + 1]) {
          const other = fromHalf(neighbour & 0xffff);
          if (Number.isFinite(other)) expect(distance).toBeLessThanOrEqual(Math.abs(value - other));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [Number.NaN, 0x7e00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.0000001, 0x0001],
  ])("has %d as 0x%s", (value, half) => {
    expect(toHalf(value)).toBe(half);
  });

  test("rounds arrays, and takes 16 bits for each value", () => {
    const values = Float32Array.of(0.1, 1 / 3, 1000.3);
    expect(roundToHalf(values)).toEqual(fromHalves(toHalves(values)));
    expect(halfBits(values.length)).toBe(8 * toHalves(values).byteLength);
  });
});
