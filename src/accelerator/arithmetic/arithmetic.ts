/**
 * The arithmetic of an accelerator, as data: the format of its operands, the format of the register that sums their products, and
 * how real numbers are scaled to integers. Everything else here computes with one of these.
 */
import { VdnnError } from "../../errors.ts";
import { type Precision, PRECISIONS } from "../energy.ts";

/** Formats of an accumulator, as `--accumulate` names them. */
export const ACCUMULATIONS = ["fp32", "fp16", "int32", "int16"] as const;
export type Accumulation = (typeof ACCUMULATIONS)[number];

/** Widths that go together, the default first: an accumulator is never narrower than the operands. */
export const ACCUMULATIONS_OF: Readonly<Record<Precision, readonly Accumulation[]>> = {
  fp32: ["fp32"],
  fp16: ["fp32", "fp16"],
  int16: ["int32", "int16", "fp32"],
  int8: ["int32", "int16", "fp32"],
};

/** Binary digits after the point, where a designer fixes them for all layers. What does not fit saturates, and is counted. */
export interface FractionBits {
  readonly inputs: number;
  readonly weights: number;
  readonly outputs: number;
}

/**
 * How real numbers become integers, always without an offset. `power-of-two`: per tensor, the most fraction bits with which its
 * largest magnitude fits, so that scaling is a shift (Eyeriss's fixed point). `symmetric`: per tensor, the largest magnitude becomes
 * the largest integer. Both look at the values that are there, so nothing saturates.
 */
export type Scaling = "power-of-two" | "symmetric" | FractionBits;

export interface Arithmetic {
  readonly precision: Precision;
  readonly accumulate: Accumulation;
  /** Of the integer precisions; the others do not scale. */
  readonly scaling: Scaling;
}

/** Largest magnitudes. Operands use the symmetric range, so that a number and its negative both exist. */
export const LARGEST: Readonly<Record<Precision | Accumulation, number>> = {
  fp32: 3.4028234663852886e38,
  fp16: 65504,
  int32: 2 ** 31 - 1,
  int16: 2 ** 15 - 1,
  int8: 2 ** 7 - 1,
};

export function isInteger(precision: Precision): precision is "int16" | "int8" {
  return precision === "int16" || precision === "int8";
}

/** @throws VdnnError `ERR_INVALID_OPTION` for names that do not exist, and for pairs that do not go together */
export function arithmeticOf(precision: string, accumulate?: string, scaling: Scaling = "power-of-two"): Arithmetic {
  if (!(PRECISIONS as readonly string[]).includes(precision)) throw unknown("precision", precision, PRECISIONS);
  const possible = ACCUMULATIONS_OF[precision as Precision];
  const chosen = accumulate ?? possible[0] ?? "fp32";
  if (!(ACCUMULATIONS as readonly string[]).includes(chosen)) throw unknown("accumulate", chosen, ACCUMULATIONS);
  if (!(possible as readonly string[]).includes(chosen)) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `accumulate: products of ${precision} are summed in ${possible.join(" or ")}, got ${chosen}`,
      { option: "accumulate", precision, got: chosen, expected: possible },
    );
  }
  checkScaling(scaling);
  return { precision: precision as Precision, accumulate: chosen as Accumulation, scaling };
}

function checkScaling(scaling: Scaling): void {
  if (typeof scaling === "string") {
    if (scaling === "power-of-two" || scaling === "symmetric") return;
    throw unknown("scaling", scaling, ["power-of-two", "symmetric"]);
  }
  for (const role of ["inputs", "weights", "outputs"] as const) {
    const bits = scaling[role];
    if (Number.isInteger(bits) && Math.abs(bits) <= 64) continue;
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `scaling.${role}: expected a whole number of fraction bits from -64 to 64, got ${String(bits)}`,
      { option: `scaling.${role}`, got: bits },
    );
  }
}

function unknown(option: string, got: unknown, expected: readonly string[]): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${option}: expected ${expected.join(", ")}, got ${String(got)}`, {
    option,
    got,
    expected,
  });
}
