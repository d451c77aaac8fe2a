/** Whole models on a registered accelerator, and what it leaves behind: predictions, names, host operations, refusals, disposal. */
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AcceleratorName } from "../../../src/accelerator/backend/presets.ts";
import {
  type Accelerator,
  type AcceleratorOptions,
  registerAccelerator,
} from "../../../src/accelerator/backend/register.ts";
import { macsOf, weightsOf } from "../../../src/accelerator/layer.ts";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { hasCode } from "../../../src/errors.ts";
import { squeezenet } from "../../../src/networks/squeezenet.ts";
import { engineOf, type TensorFlow } from "../../../src/runtime/engine.ts";

let tf: TensorFlow;
let trained: LayersModel;
/** Images that the training did not see, and the classes that the cpu backend finds. */
let unseen: { images: Tensor; classes: number[] };
const registered: Accelerator[] = [];

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
  trained = await trainedLenet();
  const { images, labels } = patterns(20, 2);
  unseen = { images, classes: predict(trained, images).map(largest) };
  expect(unseen.classes).toEqual(labels);
});

afterEach(async () => {
  for (const accelerator of registered.splice(0)) await accelerator.dispose();
  await tf.setBackend("cpu");
});

async function use(name: AcceleratorName, options?: AcceleratorOptions): Promise<Accelerator> {
  const accelerator = registerAccelerator(tf, name, options);
  registered.push(accelerator);
  await tf.setBackend(name);
  return accelerator;
}

/** LeNet-5 as in Caffe's MNIST example, whose sizes Deep Compression prunes. */
function lenet(): LayersModel {
  const seeded = (seed: number) => tf.initializers.heNormal({ seed });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        name: "conv1",
        inputShape: [28, 28, 1],
        filters: 20,
        kernelSize: 5,
        kernelInitializer: seeded(1),
      }),
      tf.layers.maxPooling2d({ name: "pool1", poolSize: 2, strides: 2 }),
      tf.layers.conv2d({ name: "conv2", filters: 50, kernelSize: 5, kernelInitializer: seeded(2) }),
      tf.layers.maxPooling2d({ name: "pool2", poolSize: 2, strides: 2 }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ name: "ip1", units: 500, activation: "relu", kernelInitializer: seeded(3) }),
      tf.layers.dense({ name: "ip2", units: 10, activation: "softmax", kernelInitializer: seeded(4) }),
    ],
  });
}

/** Ten patterns, each drawn many times under noise as strong as itself. */
function patterns(count: number, seed: number): { images: Tensor; labels: number[] } {
  const labels = Array.from({ length: count }, (_, i) => i % 10);
  const images = tf.tidy(() => {
    const drawn = tf.randomUniform([10, 28, 28, 1], 0, 1, "float32", 99).gather(tf.tensor1d(labels, "int32"));
    return tf.relu(drawn.add(tf.randomNormal(drawn.shape, 0, 0.3, "float32", seed)));
  });
  return { images, labels };
}

async function trainedLenet(): Promise<LayersModel> {
  await loadTensorFlow("wasm");
  const model = lenet();
  model.compile({ optimizer: tf.train.adam(0.002), loss: "categoricalCrossentropy" });
  const { images, labels } = patterns(200, 1);
  await model.fit(images, tf.oneHot(tf.tensor1d(labels, "int32"), 10), { epochs: 4, batchSize: 20 });
  await tf.setBackend("cpu");
  return model;
}

function predict(model: LayersModel, input: Tensor): number[][] {
  return tf.tidy(() => (model.predict(input) as Tensor).arraySync() as number[][]);
}

const largest = (row: readonly number[]) => row.indexOf(Math.max(...row));

const formats: readonly (readonly [AcceleratorName, AcceleratorOptions])[] = [
  ["eyeriss", {}],
  ["eie", {}],
  ["eyeriss", { precision: "fp32" }],
  ["eyeriss", { precision: "fp16" }],
  ["eyeriss", { precision: "fp16", accumulate: "fp16" }],
  ["eyeriss", { precision: "int16", accumulate: "int32" }],
  ["eyeriss", { precision: "int8" }],
  ["eyeriss", { precision: "int8", accumulate: "int16", scaling: "symmetric" }],
];

describe.each(formats)("on %s %o", (name, options) => {
  it("a trained LeNet-5 knows what it knows on the cpu backend", async () => {
    const accelerator = await use(name, options);
    expect(predict(trained, unseen.images).map(largest)).toEqual(unseen.classes);
    expect(accelerator.layers().every(({ saturated }) => Object.values(saturated).every((n) => n === 0))).toBe(true);
  });

  it("a narrow SqueezeNet finds the classes that the cpu backend finds, within seconds", async () => {
    const model = squeezenet.build(tf, { width: 0.25, imageSize: 32, classes: 10 });
    const images = tf.randomNormal([4, 32, 32, 3], 0, 1, "float32", 7);
    const expected = predict(model, images).map(largest);
    await use(name, options);
    const start = performance.now();
    expect(predict(model, images).map(largest)).toEqual(expected);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe("the record of a prediction", () => {
  it("has LeNet-5's four layers under their names, with the weights and MACs of the paper's table", async () => {
    const model = lenet();
    const { layers, hostOps, reset } = await use("eyeriss");
    predict(model, tf.ones([1, 28, 28, 1]));
    expect(layers().map(({ name, shape }) => [name, weightsOf(shape), macsOf(shape)])).toEqual([
      ["conv1", 500, 500 * 24 * 24],
      ["conv2", 25_000, 25_000 * 8 * 8],
      ["ip1", 400_000, 400_000],
      ["ip2", 5000, 5000],
    ]);
    expect(layers()[1]).toMatchObject({
      kernel: "FusedConv2D",
      precision: "int16",
      accumulate: "int32",
      shape: { kind: "convolution", channels: 20, filters: 50, filterHeight: 5, outputWidth: 8, stride: 1, bias: true },
    });
    const pools = hostOps().filter(({ kernel }) => kernel === "MaxPool");
    expect(pools).toEqual(
      ["pool1", "pool2"].map((layer, i) => ({
        kernel: "MaxPool",
        layer,
        elements: [24 * 24 * 20, 8 * 8 * 50][i],
        macs: 0,
        reason: null,
      })),
    );
    reset();
    expect([layers(), hostOps()]).toEqual([[], []]);
  });

  it("has densities of the values that were there: pruned weights, rectified outputs", async () => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ name: "fc", inputShape: [4], units: 2, activation: "relu" })],
    });
    model.setWeights([tf.tensor2d([1, 0, 0, 0, 2, -1, 0, 0], [4, 2]), tf.tensor1d([0, 0])]);
    const { layers } = await use("eie");
    const output = predict(
      model,
      tf.tensor2d([
        [1, 5, 0, 0],
        [0, 0, 3, 1],
      ]),
    );
    expect(output.map((row) => row.map(Math.round))).toEqual([
      [1, 0],
      [6, 0],
    ]);
    expect(layers()[0]).toMatchObject({
      name: "fc",
      densities: { inputs: 0.5, weights: 3 / 8, outputs: 0.5 },
      // Two rows of four inputs meet two columns; three of the sixteen pairs have no zero.
      macs: { total: 16, zeroInput: 8, padding: 0, zeroWeight: 10, zeroOperand: 13 },
    });
  });

  it("says which convolutions EIE leaves to the host, why, and how many MACs they cost there", async () => {
    const model = squeezenet.build(tf, { width: 0.25, imageSize: 32, classes: 10 });
    const { layers, hostOps } = await use("eie");
    predict(model, tf.ones([1, 32, 32, 3]));
    expect(layers().length).toBe(17);
    expect(hostOps().find(({ layer }) => layer === "conv1")).toEqual({
      kernel: "FusedConv2D",
      layer: "conv1",
      elements: 32 * 32 * 24,
      macs: 32 * 32 * 24 * 27,
      reason: "eie runs pointwise, fully-connected layers, and this one is convolution",
    });
  });

  it("numbers operations that are called outside any layer", async () => {
    const { layers } = await use("eyeriss");
    tf.tidy(() => void [tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])), tf.matMul(tf.ones([1, 2]), tf.ones([2, 1]))]);
    expect(layers().map(({ name }) => name)).toEqual(["BatchMatMul_1", "BatchMatMul_2"]);
  });

  it("counts what fixed fraction bits cannot hold", async () => {
    const scaling = { inputs: 8, weights: 8, outputs: 8 };
    const { layers } = await use("eyeriss", { accumulate: "int32", scaling });
    const product = tf.tidy(() => tf.matMul(tf.tensor2d([[200, 1]]), tf.tensor2d([[1], [-1]])).dataSync());
    // 200 · 256 does not fit into 16 bits: 32767 / 256 stands for it.
    expect(product[0]).toBe(127.99609375 - 1);
    expect(layers()[0]?.saturated).toEqual({ inputs: 1, weights: 0, sums: 0, outputs: 0 });
  });
});

describe("bad input", () => {
  it("names the layer whose weights are no numbers", async () => {
    const model = lenet();
    const weights = model
      .getLayer("ip1")
      .getWeights()
      .map((tensor) => tensor.clone());
    const values = weights[0]?.dataSync().slice() as Float32Array;
    values[123] = Number.NaN;
    model.getLayer("ip1").setWeights([tf.tensor2d(values, [800, 500]), weights[1] as Tensor]);
    await use("eyeriss");
    const attempt = () => predict(model, tf.ones([1, 28, 28, 1]));
    expect(attempt).toThrow(
      /^layer ip1: expected finite weights, got NaN at element 123 of 400000; the model is damaged/,
    );
    try {
      attempt();
    } catch (error) {
      expect(hasCode(error, "ERR_INVALID_MODEL") && error.details).toMatchObject({
        layer: "ip1",
        tensor: "weights",
        index: 123,
      });
    }
  });

  it("refuses training, with the way out", async () => {
    const model = lenet();
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    await use("eyeriss");
    const fit = model.fit(tf.ones([2, 28, 28, 1]), tf.oneHot(tf.tensor1d([1, 2], "int32"), 10));
    await expect(fit).rejects.toThrow(/"eyeriss" runs inference only.*tf.setBackend\("wasm"\)/);
    expect(() => tf.grad((x: Tensor) => tf.square(x).sum())(tf.ones([2]))).toThrow(/inference only/);
  });

  it("refuses a name that is taken, and unknown names and workloads", async () => {
    await use("eyeriss");
    expect(() => registerAccelerator(tf, "eyeriss")).toThrow(/registered already; dispose of that accelerator first/);
    expect(() => registerAccelerator(tf, "tpu" as AcceleratorName)).toThrow(
      "accelerator: expected eyeriss, eie, got tpu",
    );
    const workloads = ["pooling"] as never;
    expect(() => registerAccelerator(tf, "eie", { workloads })).toThrow(/workloads: expected convolution/);
    expect(tf.getKernelsForBackend("eie")).toEqual([]);
  });
});

describe("disposal", () => {
  it("leaves no kernel, no backend and no hook behind, and moves tensors back whole", async () => {
    const apply = (tf.layers as unknown as { Layer: { prototype: { apply: unknown } } }).Layer.prototype.apply;
    const cpuKernels = tf.getKernelsForBackend("cpu").length;
    const model = lenet();
    const images = tf.randomUniform([2, 28, 28, 1], 0, 1, "float32", 3);
    const before = predict(model, images);
    const { dispose } = await use("eyeriss");
    predict(model, images);
    const made = tf.add(images, 1);
    await dispose();
    await dispose();
    expect(tf.getBackend()).toBe("cpu");
    expect(tf.findBackend("eyeriss")).toBeNull();
    expect(tf.getKernelsForBackend("eyeriss")).toEqual([]);
    expect(tf.getKernelsForBackend("cpu").length).toBe(cpuKernels);
    expect((tf.layers as unknown as { Layer: { prototype: { apply: unknown } } }).Layer.prototype.apply).toBe(apply);
    expect(predict(model, images)).toEqual(before);
    expect(made.dataSync()[5]).toBe(Math.fround((images.dataSync()[5] as number) + 1));
  });

  it("lets another accelerator follow, and two stand side by side in any order of disposal", async () => {
    const model = lenet();
    const images = tf.ones([1, 28, 28, 1]);
    const first = await use("eyeriss");
    await first.dispose();
    const second = await use("eyeriss", { precision: "int8" });
    const third = await use("eie");
    predict(model, images);
    await tf.setBackend("eyeriss");
    predict(model, images);
    expect([first.layers().length, second.layers().length, third.layers().length]).toEqual([0, 4, 2]);
    await second.dispose();
    await tf.setBackend("eie");
    predict(model, images);
    expect(third.layers().map(({ name }) => name)).toEqual(["ip1", "ip2", "ip1", "ip2"]);
  });

  it("predictions leave no tensor and no buffer", async () => {
    const model = squeezenet.build(tf, { width: 0.25, imageSize: 32, classes: 10 });
    const images = tf.ones([1, 32, 32, 3]);
    await use("eyeriss", { precision: "int8" });
    predict(model, images);
    const counts = () => [tf.memory().numTensors, tf.memory().numDataBuffers, engineOf(tf).backend.numDataIds()];
    const before = counts();
    predict(model, images);
    expect(counts()).toEqual(before);
  });
});
