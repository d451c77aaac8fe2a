/**
 * Conformance on WebGPU, on one adapter with itself: a few cases of each kind, because the adapter may be a processor. Each is
 * tried in one mode or two, so that every mode has its turn; VDNN_TEST_WEBGPU=all tries every case in every mode. Cases that train
 * in a synchronous loop of their own have no place here; `session.minimize` is tested in test/backends.
 */
import { describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { MODES } from "./modes.ts";
import { conformanceSuite } from "./suite.ts";

const AUTO = "auto with a tenth more than vdnn-all needs";
const ADVERSARIAL = "offloading everything after each kernel";
const TO_DISK = "offloading everything after each kernel through a small host pool to disk";

/** Case, and the modes in which it is tried by default. */
const SAMPLE: ReadonlyMap<string, readonly string[]> = new Map([
  ["trains a chain of convolutions", ["liveness"]],
  ["trains a VGG-like network", [AUTO]],
  ["trains a residual network of basic blocks", ["vdnn-dyn", AUTO]],
  ["trains a stack of LSTM layers", ["vdnn-all"]],
  ["trains a transformer encoder", ["checkpoint"]],
  ["trains batch normalization and its moving statistics", ["vdnn-conv", ADVERSARIAL]],
  ["fits with a validation split, shuffled without a seed", [TO_DISK]],
  ["fits from a dataset", ["none"]],
  ["evaluates and predicts between training calls", ["vdnn-all"]],
]);

const all = process.env["VDNN_TEST_WEBGPU"] === "all";
const absent = await whyNoWebGpu();

describe.skipIf(absent !== undefined)(`webgpu${absent === undefined ? "" : ` (${absent})`}`, () => {
  test("the sample has every mode", () => {
    expect(new Set([...SAMPLE.values()].flat())).toEqual(new Set(MODES.map(({ name }) => name)));
  });

  conformanceSuite({
    backend: "webgpu",
    costs: ["tiny"],
    // One that is recorded, one that follows the first plan, one that follows the calibrated one.
    steps: 3,
    // Tensors of fewer than 1000 elements stay on the device. Budgets that bite are in test/backends.
    leastBudgetBytes: 128 * 1024,
    includes: (name, mode) => SAMPLE.has(name) && (all || SAMPLE.get(name)?.includes(mode) === true),
    load: async () => (await loadTensorFlow("webgpu")).tf,
  });
});
