/**
 * Conformance on WebGPU, on one adapter with itself: a few cases of each kind, because the adapter may be a processor. Cases that
 * train in a synchronous loop of their own have no place here; `session.minimize` is tested in test/backends.
 */
import { describe } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { conformanceSuite } from "./suite.ts";

const CASES: ReadonlySet<string> = new Set([
  "trains a chain of convolutions",
  "trains a VGG-like network",
  "trains a residual network of basic blocks",
  "trains a stack of LSTM layers",
  "trains a transformer encoder",
  "trains batch normalization and its moving statistics",
  "fits with a validation split, shuffled without a seed",
  "fits from a dataset",
  "evaluates and predicts between training calls",
]);

const absent = await whyNoWebGpu();

describe.skipIf(absent !== undefined)(`webgpu${absent === undefined ? "" : ` (${absent})`}`, () => {
  conformanceSuite({
    backend: "webgpu",
    costs: ["tiny"],
    // One that is recorded, one that follows the first plan, one that follows the calibrated one.
    steps: 3,
    // Tensors of fewer than 1000 elements stay on the device. Budgets that bite are in test/backends.
    leastBudgetBytes: 128 * 1024,
    includes: (name) => CASES.has(name),
    load: async () => (await loadTensorFlow("webgpu")).tf,
  });
});
