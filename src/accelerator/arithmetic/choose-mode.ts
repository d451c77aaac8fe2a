/**
 * Which of gpu.js's modes computes: the fastest that is there and whose results are those of the reference, bit for bit. A mode may
 * compute fast and wrongly (graphics drivers fuse and reorder float operations), and gpu.js may quietly use another than asked for.
 */
import { VdnnError } from "../../errors.ts";
import type { Product, Summation } from "./product.ts";
import { referenceProduct } from "./reference.ts";
import { ArithmeticUnit, COMPUTE_MODES, type ComputeMode } from "./unit.ts";

export interface RefusedMode {
  readonly mode: ComputeMode;
  readonly reason: string;
}

export interface ChosenUnit {
  readonly unit: ArithmeticUnit;
  /** Faster modes that do not serve here. */
  readonly refused: readonly RefusedMode[];
}

/** @throws VdnnError `ERR_INVALID_OPTION` for an unknown mode, `ERR_BACKEND` for one that does not serve here */
export function chooseUnit(wanted?: ComputeMode): ChosenUnit {
  const name: string | undefined = wanted;
  if (wanted !== undefined && !COMPUTE_MODES.includes(wanted)) {
    const hint = name === "webgpu" ? "; WebGPU answers with promises, and TensorFlow.js kernels are synchronous" : "";
    throw new VdnnError("ERR_INVALID_OPTION", `mode: expected ${COMPUTE_MODES.join(", ")}, got ${name}${hint}`, {
      option: "mode",
      got: wanted,
      expected: COMPUTE_MODES,
    });
  }
  const refused: RefusedMode[] = [];
  for (const mode of wanted === undefined ? COMPUTE_MODES : [wanted]) {
    try {
      const unit = new ArithmeticUnit(mode);
      const reason = disagreement(unit, mode);
      if (reason === null) return { unit, refused };
      void unit.dispose();
      refused.push({ mode, reason });
    } catch (error) {
      refused.push({ mode, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  const reasons = refused.map(({ mode, reason }) => `${mode}: ${reason}`).join("; ");
  throw new VdnnError("ERR_BACKEND", `no mode of gpu.js computes as the accelerator does: ${reasons}`, { refused });
}

const SUMMATIONS: readonly Summation[] = [
  { kind: "plain" },
  { kind: "half" },
  { kind: "wide", shift: 0 },
  { kind: "wide", shift: 3 },
  { kind: "narrow", shift: 15 },
  { kind: "narrow", shift: 18 },
];

/** Why the unit cannot serve, or null. */
function disagreement(unit: ArithmeticUnit, mode: ComputeMode): string | null {
  for (const summation of SUMMATIONS) {
    const product = probe(summation);
    const { values } = unit.multiply(product, summation);
    if (unit.mode !== mode) return `gpu.js ran ${unit.mode} instead`;
    const expected = referenceProduct(product, summation).values;
    const wrong = values.findIndex((value, at) => value !== expected[at]);
    if (wrong >= 0) return `${summation.kind} sums give ${values[wrong]} where the arithmetic gives ${expected[wrong]}`;
  }
  return null;
}

/** Operands with all their bits set at random, and large enough that the integer sums saturate. */
function probe({ kind }: Summation): Product {
  const [groups, rows, depth, columns] = [2, 5, 24, 6];
  let state = 1;
  const next = (): number => {
    // Numerical Recipes' generator, 32 bits.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const integer = kind === "wide" || kind === "narrow";
  const operand = (): number => {
    if (integer) return Math.round(next() * 32767);
    return kind === "half" ? Math.round(next() * 1024) / 2 ** Math.floor(next() * 6 + 8) : Math.fround(next());
  };
  const left = Float32Array.from({ length: groups * rows * depth }, operand);
  const right = Float32Array.from({ length: groups * depth * columns }, operand);
  return { left, right, groups, rows, depth, columns };
}
