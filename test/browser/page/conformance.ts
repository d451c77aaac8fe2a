/** The conformance suite's cases, in this realm. */
import * as tf from "@tensorflow/tfjs";
import { cases } from "../../conformance/cases.ts";
import { Comparison, type Verdict } from "../../conformance/comparison.ts";
import { MODES } from "../../conformance/modes.ts";
import { virtualize } from "../../../src/browser.ts";
import { type Backend, startBackend, stepsOn } from "./backend.ts";

/** Tensors of fewer than 1000 elements stay on a WebGPU device; smaller budgets leave nothing that may move. */
const LEAST_BUDGET_BYTES = 128 * 1024;

const comparisons = new Map<Backend, Comparison>();

export const conformance = {
  /** Trains a conformance case without vdnn and with it, in one of the conformance modes. */
  async compare(backend: Backend, caseName: string, modeName: string): Promise<Verdict> {
    await startBackend(backend);
    const conformanceCase = cases.find(({ name }) => name === caseName);
    const mode = MODES.find(({ name }) => name === modeName);
    if (conformanceCase === undefined || mode === undefined) throw new Error(`no "${caseName}" or no "${modeName}"`);
    return comparisonOn(backend).compare(conformanceCase, mode);
  },
};

function comparisonOn(backend: Backend): Comparison {
  const known = comparisons.get(backend);
  if (known !== undefined) return known;
  const leastBudgetBytes = backend === "webgpu" ? LEAST_BUDGET_BYTES : 0;
  const comparison = new Comparison({ tf, virtualize, steps: stepsOn(backend), leastBudgetBytes });
  comparisons.set(backend, comparison);
  return comparison;
}
