/** From a trained network to a file and back: the same with and without vdnn, the same weights loaded, and failures that change nothing. */
import type * as tfjs from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { lookUp } from "../../../src/compression/sharing/share.ts";
import { codesOf } from "../../../src/compression/layer.ts";
import { accuracyOf } from "../../../src/compression/training/classifier.ts";
import { compressModel, type CompressionResult } from "../../../src/compression/training/compress.ts";
import { loadCompressed } from "../../../src/compression/training/load.ts";
import type { CompressionOptions, Progress } from "../../../src/compression/training/options.ts";
import { slice } from "../../../src/data/images.ts";
import { hasCode, VdnnError } from "../../../src/errors.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { KIB } from "../../../src/units.ts";
import { bitsOf, classifierOf, DATA, QUICK, smallModel, trained, underVdnn } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

async function failure(promise: Promise<unknown>): Promise<VdnnError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(VdnnError);
  return error as VdnnError;
}

describe.each(["lenet300", "lenet5"] as const)("a small %s, compressed", (name) => {
  async function run(): Promise<{ result: CompressionResult; bits: string }> {
    const model = await trained(tf, smallModel(tf, name), 2);
    const result = await compressModel(tf, model, DATA, QUICK);
    const bits = bitsOf(model);
    model.dispose();
    return { result, bits };
  }

  test("is the same file to the byte on stock TensorFlow.js and under vdnn, with a budget and with everything offloaded", async () => {
    const tensors = tf.memory().numTensors;
    const stock = await run();
    expect(tf.memory().numTensors).toBe(tensors);
    const budget = { deviceMemory: name === "lenet5" ? 1536 * KIB : 512 * KIB };
    for (const options of [{}, budget, { policy: "vdnn-all", adversarial: true }]) {
      const { value } = await underVdnn(tf, options, run);
      expect(value.bits).toBe(stock.bits);
      expect(Buffer.from(value.result.file).equals(stock.result.file)).toBe(true);
      expect(value.result.accuracy).toEqual(stock.result.accuracy);
    }
  });

  test("loads back to identical weights, and so to the same accuracy", async () => {
    const { result, bits } = await run();
    const loaded = await loadCompressed(tf, result.file);
    expect(bitsOf(loaded)).toBe(bits);
    expect(await accuracyOf({ tf, model: loaded, signal: undefined }, DATA.test)).toBe(result.accuracy.loaded);
    expect(result.accuracy.loaded).toBe(result.accuracy.fineTuned);
    loaded.dispose();
  });
});

describe("the result", () => {
  test("keeps what was asked for, counts as the file does, and says what each stage did to accuracy", async () => {
    const model = await trained(tf, smallModel(tf), 6);
    const seen: Progress[] = [];
    const onProgress = (progress: Progress): void => void seen.push(progress);
    const layers = { ip1: { keep: 0.1, codeBits: 4 }, ip3: { keep: 1, codeBits: 8, clusters: 3 } };
    const result = await compressModel(tf, model, DATA, { ...QUICK, layers, onProgress });
    const { size, accuracy, kept, sensitivities, file, denseBytes } = result;

    // ip2 is the only layer without a share of its own, so it keeps the 20 % of QUICK.
    expect(sensitivities?.layers.map(({ name }) => name)).toEqual(["ip2"]);
    expect([...kept.keys()].toSorted()).toEqual(["ip1", "ip2", "ip3"]);
    expect(size.layers.map((layer) => layer.kept)).toEqual([300, 60, 100]);
    expect(size.layers.map((layer) => layer.weightBits)).toEqual([4, 5, 8]);
    const ip3 = result.model.layers[2];
    expect(new Set(ip3 === undefined ? [] : lookUp(codesOf(ip3), ip3.codebook)).size).toBe(3);
    expect(size.bits.dense).toBe(32 * 3400);
    expect(denseBytes).toBe(4 * (3400 + 50));
    expect(file.length).toBeGreaterThan(size.bits.huffman / 8);

    expect(accuracy.dense).toBeGreaterThan(0.6);
    expect(accuracy.retrained).toBeGreaterThan(accuracy.pruned);
    expect(accuracy.fineTuned).toBeGreaterThan(accuracy.dense - 0.2);
    expect(new Set(seen.map(({ stage }) => stage))).toEqual(
      new Set(["sensitivities", "pruning", "retraining", "fine-tuning", "encoding"]),
    );
    for (const { done, total } of seen) expect(done).toBeLessThanOrEqual(total);
    model.dispose();
  });

  test("names the layers that were left dense, and keeps their weights to the bit", async () => {
    const input = tf.input({ shape: [10, 10, 1] });
    let x = tf.layers.flatten({ name: "flatten" }).apply(input) as tfjs.SymbolicTensor;
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
    x = tf.layers
      .dense({ name: "frozen", units: 12, kernelInitializer, trainable: false })
      .apply(x) as tfjs.SymbolicTensor;
    x = tf.layers.batchNormalization({ name: "norm" }).apply(x) as tfjs.SymbolicTensor;
    const outputs = tf.layers.dense({ name: "classes", units: 10, activation: "softmax", kernelInitializer }).apply(x);
    const model = tf.model({ inputs: input, outputs: outputs as tfjs.SymbolicTensor });
    const { leftDense, file } = await compressModel(tf, model, DATA, { ...QUICK, layers: { classes: { keep: 0.5 } } });
    expect(leftDense).toEqual([
      { name: "frozen", kind: "Dense", weights: 1212, reason: "it is frozen" },
      {
        name: "norm",
        kind: "BatchNormalization",
        weights: 48,
        reason: "only convolutions and dense layers are compressed",
      },
    ]);
    const loaded = await loadCompressed(tf, file);
    expect(bitsOf(loaded)).toBe(bitsOf(model));
    loaded.dispose();
    model.dispose();
  });
});

describe("what cannot be compressed is refused, and the model keeps its weights", () => {
  const labels = (value: number): Uint8Array => new Uint8Array(DATA.train.count).fill(value);

  test.each<[string, CompressionOptions, Partial<typeof DATA>, RegExp]>([
    ["a kept share of 0", { keep: 0 }, {}, /keep: expected a share .* above 0 and up to 1, got 0/],
    ["a kept share above 1", { layers: { ip1: { keep: 1.5 } } }, {}, /ip1: keep: .* got 1.5/],
    ["a kept share that is NaN", { keep: Number.NaN }, {}, /keep: .* got NaN/],
    ["a layer that is not there", { layers: { ip9: {} } }, {}, /no layer "ip9" to compress; there are ip1, ip2, ip3/],
    ["too few bits", { codeBits: 2, clusters: 4 }, {}, /ip1: codeBits: 2 bits hold 3 centroids .* 4 are asked for/],
    ["bits out of range", { codeBits: 9 }, {}, /codeBits: expected a whole number from 1 to 8, got 9/],
    ["no rounds", { rounds: 0 }, {}, /rounds: expected a whole number of at least 1, got 0/],
    ["a rate of 0", { pruning: { epochs: 1, learningRate: 0 } }, {}, /learningRate: expected a positive number, got 0/],
    ["batches of nothing", { batchSize: 0 }, {}, /batchSize: expected a whole number of at least 1, got 0/],
    ["images of another size", {}, { test: { ...DATA.test, height: 5, width: 20 } }, /takes 10x10x1, but .* 5x20x1/],
    ["other classes", {}, { train: { ...DATA.train, classes: 12 } }, /tells 10 classes apart, but .* have 12/],
  ])("%s", async (_, options, data, message) => {
    const model = smallModel(tf);
    const before = bitsOf(model);
    const error = await failure(compressModel(tf, model, { ...DATA, ...data }, { ...QUICK, ...options }));
    expect(error.message).toMatch(message);
    expect(hasCode(error, "ERR_INVALID_OPTION")).toBe(true);
    expect(bitsOf(model)).toBe(before);
    model.dispose();
  });

  test.each<[string, Partial<typeof DATA>, RegExp]>([
    ["empty data", { test: slice(DATA.test, 0, 0) }, /test images: expected at least one image, got none/],
    ["a label out of range", { train: { ...DATA.train, labels: labels(10) } }, /labels from 0 to 9, got 10/],
  ])("%s", async (_, data, message) => {
    const model = smallModel(tf);
    const error = await failure(compressModel(tf, model, { ...DATA, ...data }, QUICK));
    expect(error.message).toMatch(message);
    expect(error.code).toBe("ERR_INVALID_DATA");
    model.dispose();
  });

  test("weights that are NaN, by name", async () => {
    const model = smallModel(tf);
    tf.tidy(() => model.getLayer("ip2").setWeights([tf.ones([30, 10]).mul(Number.NaN), tf.zeros([10])]));
    const error = await failure(compressModel(tf, model, DATA, QUICK));
    expect(error.message).toMatch(/ip2\/kernel: expected finite values, found NaN/);
    expect(error.code).toBe("ERR_INVALID_MODEL");
    model.dispose();
  });

  test("a model without any layer to prune", async () => {
    const model = tf.sequential({ layers: [tf.layers.flatten({ inputShape: [10, 10, 1] })] });
    expect((await failure(compressModel(tf, model, DATA))).message).toMatch(/nothing can be pruned/);
  });

  test("training that diverges", async () => {
    const model = await trained(tf, smallModel(tf), 1);
    const before = bitsOf(model);
    const diverging = { ...QUICK, optimizer: () => tf.train.sgd(Number.MAX_VALUE) };
    expect((await failure(compressModel(tf, model, DATA, diverging))).message).toMatch(/expected finite values/);
    expect(bitsOf(model)).toBe(before);
    model.dispose();
  });

  test.each(["sensitivities", "pruning", "retraining", "fine-tuning"])("an abort while %s", async (stage) => {
    const model = await trained(tf, smallModel(tf), 1);
    const [before, tensors] = [bitsOf(model), tf.memory().numTensors];
    const controller = new AbortController();
    const options: CompressionOptions = {
      ...QUICK,
      fineTuning: [{ epochs: 2, learningRate: 1e-4 }],
      signal: controller.signal,
      onProgress: (progress) => progress.stage === stage && controller.abort(new Error("enough")),
    };
    await expect(compressModel(tf, model, DATA, options)).rejects.toThrow("enough");
    expect(bitsOf(model)).toBe(before);
    expect(tf.memory().numTensors).toBe(tensors);
    model.dispose();
  });

  test("a file that is damaged, or that holds no topology", async () => {
    const model = await trained(tf, smallModel(tf), 1);
    const { file } = await compressModel(tf, model, DATA, QUICK);
    const damaged = file.slice();
    damaged[damaged.length >> 1]! ^= 1;
    for (const wrong of [damaged, file.subarray(0, 100), new Uint8Array()]) {
      const error = await failure(loadCompressed(tf, wrong));
      expect(error.code).toBe("ERR_INVALID_MODEL");
    }
    await expect(loadCompressed(tf, "/no/such/file.vdnn")).rejects.toThrow(/cannot be read/);
    model.dispose();
  });
});

test("retraining reaches a model that was not compiled, and one with regularizers", async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [10, 10, 1] }),
      tf.layers.dense({
        name: "classes",
        units: 10,
        activation: "softmax",
        kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
        kernelRegularizer: tf.regularizers.l2({ l2: 1e-3 }),
      }),
    ],
  });
  const classifier = classifierOf(tf, model);
  await trained(tf, model, 3);
  expect(await accuracyOf(classifier, DATA.test)).toBeGreaterThan(0.4);
  model.dispose();
});
