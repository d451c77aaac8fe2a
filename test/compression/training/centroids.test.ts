/** Shared weights move together: by the sum of their gradients, with zero left at zero. */
import type * as tfjs from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { centroidGradients, lookUp, shareWeights } from "../../../src/compression/sharing/share.ts";
import { assignShared, type SharedKernel, trainCentroids } from "../../../src/compression/training/centroids.ts";
import { accuracyOf, batchLoss, trainableVariables } from "../../../src/compression/training/classifier.ts";
import { modelLayers } from "../../../src/compression/training/layers.ts";
import { readWeight } from "../../../src/compression/training/weights.ts";
import { batchOf, shuffledOrder, slice } from "../../../src/data/images.ts";
import { deriveSeed } from "../../../src/networks/data.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { bitsOf, classifierOf, DATA, smallModel, trained, underVdnn } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

/** All kernels of the model with 7 centroids each; weights below 0.1 are zero. */
async function share(model: tfjs.LayersModel): Promise<SharedKernel[]> {
  const { prunable } = await modelLayers(model);
  const shared: SharedKernel[] = [];
  for (const { kernel } of prunable) {
    const weights = (await readWeight(kernel)).map((weight) => (Math.abs(weight) < 0.1 ? 0 : weight));
    shared.push({ kernel, ...shareWeights(weights, { codeBits: 3 }) });
  }
  for (const each of shared) assignShared(tf, each);
  return shared;
}

test("one step of SGD moves each centroid by the rate times the summed gradients of its weights", async () => {
  const model = await trained(tf, smallModel(tf), 1);
  const data = { ...DATA, train: slice(DATA.train, 0, 32) };
  const optimizer = (): tfjs.Optimizer => tf.train.sgd(0.01);
  const classifier = classifierOf(tf, model, { data, batchSize: 32, optimizer });
  const shared = await share(model);

  const order = shuffledOrder(32, deriveSeed(1, "step/0"));
  const { xs, ys } = batchOf(tf, data.train, order);
  const { value, grads } = tf.variableGrads(() => batchLoss(classifier, xs, ys), trainableVariables(model));
  const expected = shared.map(({ kernel, codes, codebook }) => {
    const gradient = grads[kernel.name]?.dataSync() as Float32Array;
    const sums = centroidGradients(codes, gradient, codebook.length);
    return codebook.map((centroid, code) => centroid - 0.01 * (sums[code] ?? 0));
  });
  tf.dispose([xs, ys, value, ...Object.values(grads)]);

  const moved = await trainCentroids(classifier, shared, { epochs: 1, learningRate: 0.01 }, "step");
  for (const [i, { codebook, codes, kernel }] of moved.entries()) {
    for (const [code, centroid] of codebook.entries()) expect(centroid).toBeCloseTo(expected[i]?.[code] ?? NaN, 6);
    expect(Object.is(codebook[0], 0)).toBe(true);
    expect(codebook).not.toEqual(shared[i]?.codebook);
    // The model has the moved weights, to the bit.
    expect(await readWeight(kernel)).toEqual(lookUp(codes, codebook));
  }
  model.dispose();
});

describe("training of the centroids", () => {
  test("makes up for what sharing costs, leaves zeros at zero and no tensor behind", async () => {
    const model = await trained(tf, smallModel(tf), 6);
    const classifier = classifierOf(tf, model);
    const shared = await share(model);
    const before = await accuracyOf(classifier, DATA.train);
    const tensors = tf.memory().numTensors;
    const tuned = await trainCentroids(classifier, shared, { epochs: 4, learningRate: 1e-3 }, "tune");
    expect(tf.memory().numTensors).toBe(tensors);
    expect(await accuracyOf(classifier, DATA.train)).toBeGreaterThan(before);
    for (const { kernel, codes } of tuned) {
      const weights = await readWeight(kernel);
      expect(weights.filter((_, i) => codes[i] === 0).every((weight) => Object.is(weight, 0))).toBe(true);
      expect(new Set(weights).size).toBeLessThanOrEqual(8);
    }
    model.dispose();
  });

  test("has the same bits under vdnn, as it is and with everything offloaded", async () => {
    const run = async (): Promise<string> => {
      const model = await trained(tf, smallModel(tf), 1);
      await trainCentroids(classifierOf(tf, model), await share(model), { epochs: 2, learningRate: 1e-3 }, "tune");
      const bits = bitsOf(model);
      model.dispose();
      return bits;
    };
    const stock = await run();
    expect((await underVdnn(tf, {}, run)).value).toBe(stock);
    expect((await underVdnn(tf, { policy: "vdnn-all", adversarial: true }, run)).value).toBe(stock);
  });
});
