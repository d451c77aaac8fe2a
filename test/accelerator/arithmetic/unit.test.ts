/**
 * Products on gpu.js are those of the reference, bit for bit, for every summation, in every mode that is here: the reference uses
 * BigInt and one rounding per operation, and shares nothing with the kernels.
 */
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { hasCode } from "../../../src/errors.ts";
import { chooseUnit } from "../../../src/accelerator/arithmetic/choose-mode.ts";
import type { Product, Summation } from "../../../src/accelerator/arithmetic/product.ts";
import { referenceProduct } from "../../../src/accelerator/arithmetic/reference.ts";
import { roundHalf } from "../../../src/accelerator/arithmetic/rounding.ts";
import { type ComputeMode, ArithmeticUnit } from "../../../src/accelerator/arithmetic/unit.ts";

const units = new Map<ComputeMode, ArithmeticUnit>(
  (["webasm", "cpu"] as const).map((mode) => [mode, new ArithmeticUnit(mode)]),
);
afterAll(async () => {
  for (const unit of units.values()) await unit.dispose();
});

const half = fc
  .tuple(fc.integer({ min: -2047, max: 2047 }), fc.integer({ min: -24, max: 5 }))
  .map(([significand, exponent]) => significand * 2 ** exponent);
const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)) + 1, max: 2 ** (bits - 1) - 1 });
/** Extremes often, so that sums saturate. */
const int16 = fc.oneof({ weight: 3, arbitrary: int(16) }, { weight: 1, arbitrary: fc.constantFrom(32767, -32767, 0) });
const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) });

function products(operand: fc.Arbitrary<number>, depth = 12): fc.Arbitrary<Product> {
  const sizes = fc.record({
    groups: fc.integer({ min: 1, max: 3 }),
    rows: fc.integer({ min: 1, max: 6 }),
    depth: fc.integer({ min: 1, max: depth }),
    columns: fc.integer({ min: 1, max: 9 }),
  });
  return sizes.chain((size) => {
    const array = (length: number) =>
      fc.array(operand, { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));
    return fc
      .tuple(array(size.groups * size.rows * size.depth), array(size.groups * size.depth * size.columns))
      .map(([left, right]) => ({ ...size, left, right }));
  });
}

const cases: readonly (readonly [string, Summation, fc.Arbitrary<Product>])[] = [
  ["fp32 in fp32", { kind: "plain" }, products(float)],
  ["fp16 in fp32", { kind: "plain" }, products(half)],
  ["fp16 in fp16", { kind: "half" }, products(half)],
  ...[0, 1, 8, 16].map(
    (shift) => [`int16 in int32, shifted by ${shift}`, { kind: "wide", shift }, products(int16)] as const,
  ),
  ["int8 in int32, as few bits as float32 holds", { kind: "plain" }, products(int(8))],
  ["int8 in int32", { kind: "wide", shift: 0 }, products(int(8))],
  ["int16 in fp32", { kind: "plain" }, products(int16)],
  ...[0, 1, 7, 15, 16, 17, 22, 30].map(
    (shift) => [`int16 in int16, shifted by ${shift}`, { kind: "narrow", shift }, products(int16)] as const,
  ),
  ["int8 in int16, shifted by 3", { kind: "narrow", shift: 3 }, products(int(8))],
];

describe.each([...units.keys()])("in mode %s", (mode) => {
  it.each(cases)("%s is the reference bit for bit", (_name, summation, arbitrary) => {
    const unit = units.get(mode) as ArithmeticUnit;
    fc.assert(
      fc.property(arbitrary, (product) => {
        const expected = referenceProduct(product, summation);
        const actual = unit.multiply(product, summation);
        expect(unit.mode).toBe(mode);
        expect(actual).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });
});

describe("half precision", () => {
  /** All halves from their bits: sign, 5 bits of exponent, 10 of fraction. */
  const halves = Array.from({ length: 0x7c00 }, (_, bits) =>
    bits < 0x400 ? bits * 2 ** -24 : (1024 + (bits % 1024)) * 2 ** (Math.floor(bits / 1024) - 25),
  );

  it("keeps each of its 31744 finite magnitudes, and rounds each midpoint to the even neighbour", () => {
    expect(halves.every((value) => roundHalf(value) === value && roundHalf(-value) === -value)).toBe(true);
    const wrong = halves.slice(1).filter((value, below) => {
      const middle = (value + (halves[below] as number)) / 2;
      return roundHalf(middle) !== (below % 2 === 0 ? halves[below] : value);
    });
    expect(wrong).toEqual([]);
  });

  it("is rounded in the kernel as in the reference: every midpoint, and the floats beside it", () => {
    const near = halves.slice(1).flatMap((value, below) => {
      const middle = (value + (halves[below] as number)) / 2;
      return [middle, middle * (1 + 2 ** -22), -middle * (1 - 2 ** -22)];
    });
    // One product per value; the other factor is 1, so that the product is the value.
    const product: Product = {
      left: Float32Array.of(1),
      right: Float32Array.from(near),
      groups: 1,
      rows: 1,
      depth: 1,
      columns: near.length,
    };
    const unit = units.get("webasm") as ArithmeticUnit;
    expect(unit.multiply(product, { kind: "half" })).toEqual(referenceProduct(product, { kind: "half" }));
  });
});

describe("a 32-bit accumulator", () => {
  it("stops at both ends at every addition, not at the end of the sum", () => {
    const product = {
      left: Float32Array.of(32767, 32767, 32767, -32767),
      right: Float32Array.of(32767, 32767, 32767, 32767),
      groups: 1,
      rows: 1,
      depth: 4,
      columns: 1,
    };
    const { values, saturated } = (units.get("webasm") as ArithmeticUnit).multiply(product, { kind: "wide", shift: 0 });
    expect([...values]).toEqual([2 ** 31 - 1 - 32767 ** 2]);
    expect(saturated).toBe(1);
  });
});

describe("products larger than a piece", () => {
  it("are cut in rows and in columns, and put together in place", () => {
    const [rows, depth, columns] = [7, 2 ** 20, 9];
    const left = new Float32Array(rows * depth);
    const right = new Float32Array(depth * columns);
    for (let row = 0; row < rows; row++) left[row * depth + row] = row + 1;
    for (let k = 0; k < rows; k++)
      for (let column = 0; column < columns; column++) right[k * columns + column] = 10 * k + column;
    const { values } = (units.get("webasm") as ArithmeticUnit).multiply(
      { left, right, groups: 1, rows, depth, columns },
      { kind: "plain" },
    );
    const expected = Array.from({ length: rows * columns }, (_, at) => {
      const row = Math.floor(at / columns);
      return (row + 1) * (10 * row + (at % columns));
    });
    expect([...values]).toEqual(expected);
  });
});

describe("the choice of a mode", () => {
  it("takes the first that agrees with the reference, and says why the others do not serve", async () => {
    const { unit, refused } = chooseUnit();
    expect(["headlessgl", "webgl2", "webgl", "webasm"]).toContain(unit.mode);
    for (const { mode, reason } of refused) expect(`${mode}: ${reason}`).toMatch(/supported|instead|gives|gl/);
    await unit.dispose();
  });

  it("refuses WebGPU, which answers with promises, and modes that do not exist", () => {
    const attempt = (mode: string) => () => chooseUnit(mode as ComputeMode);
    expect(attempt("webgpu")).toThrow(/promises/);
    expect(attempt("abacus")).toThrow("mode: expected headlessgl, webgl2, webgl, webasm, cpu, got abacus");
    try {
      attempt("webgpu")();
    } catch (error) {
      expect(hasCode(error, "ERR_INVALID_OPTION")).toBe(true);
    }
  });
});
