/** Fewer bits per weight: what they take, what they cost, and that measuring leaves the model alone. */
import { beforeAll, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { accuracyOf } from "../../../src/compression/training/classifier.ts";
import { measureQuantized } from "../../../src/compression/training/quantized.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { bitsOf, classifierOf, DATA, smallModel, trained } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

test.each([
  ["fp16", 2 * 3450],
  ["int8", 3400 + 3 * 4 + 4 * 50],
] as const)(
  "%s takes %i bytes, stays within 2 points of the floats, and changes no weight",
  async (precision, bytes) => {
    const model = await trained(tf, smallModel(tf));
    const classifier = classifierOf(tf, model);
    const floats = await accuracyOf(classifier, DATA.test);
    const [before, tensors] = [bitsOf(model), tf.memory().numTensors];
    const result = await measureQuantized(classifier, DATA.test, precision);
    expect(result).toMatchObject({ precision, bytes });
    expect(Math.abs(result.accuracy - floats)).toBeLessThanOrEqual(0.02);
    expect(bitsOf(model)).toBe(before);
    expect(tf.memory().numTensors).toBe(tensors);
    model.dispose();
  },
);

test.each(["fp16", "int8"] as const)(
  "%s refuses weights that are NaN, by name, and leaves them as they are",
  async (precision) => {
    const model = smallModel(tf);
    tf.tidy(() => model.getLayer("ip2").setWeights([tf.ones([30, 10]).mul(Number.NaN), tf.zeros([10])]));
    const before = bitsOf(model);
    const measured = measureQuantized(classifierOf(tf, model), DATA.test, precision);
    await expect(measured).rejects.toThrow(/ip2\/kernel: expected finite values, found NaN/);
    expect(bitsOf(model)).toBe(before);
    model.dispose();
  },
);
