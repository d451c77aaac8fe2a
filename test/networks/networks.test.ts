/** The networks against their papers: parameters, layers, names; and what they promise: the same build twice, a falling loss. */
import * as tf from "@tensorflow/tfjs";
import type { LayersModel } from "@tensorflow/tfjs";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { VdnnError } from "../../src/errors.ts";
import { findNetwork, networks, type NetworkOptions } from "../../src/networks/index.ts";

let tensorsBefore = 0;
const models: LayersModel[] = [];

function build(name: string, options: NetworkOptions = {}): LayersModel {
  const model = findNetwork(name).build(tf, options);
  models.push(model);
  return model;
}

beforeAll(async () => {
  await tf.setBackend("cpu");
  await tf.ready();
});

beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});

afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const sizeOf = (shape: readonly (number | null)[]): number => shape.reduce<number>((size, n) => size * (n ?? 1), 1);
const trainable = (model: LayersModel): number => sum(model.trainableWeights.map((weight) => sizeOf(weight.shape)));
const convolutions = (model: LayersModel): number =>
  model.layers.filter((layer) => layer.getClassName() === "Conv2D").length;

/** The values of every weight but biases and the like, which all start alike. */
const kernels = (model: LayersModel): string[] =>
  model
    .getWeights()
    .filter((weight) => weight.rank > 1)
    .map((weight) => weight.dataSync().join());

/** Options under which a network takes milliseconds on the reference backend. */
function tiny(name: string): NetworkOptions {
  const { defaults } = findNetwork(name);
  if (defaults.sequenceLength > 0) return { depth: 2, width: 16, sequenceLength: 8, vocabulary: 40, classes: 3 };
  const depth = { chain: 5, densenet: 10, resnet: 8 }[name];
  // Not so narrow that a layer has a single channel: one dead relu would then stop all learning.
  const width = { chain: 4, densenet: 1 / 4, squeezenet: 1 / 8, googlenet: 1 / 16 }[name] ?? 1 / 32;
  return { depth, width, imageSize: 8, classes: 3 };
}

describe("trainable parameters as published", () => {
  test.each<[string, NetworkOptions, number, string]>([
    ["vgg", {}, 138_357_544, "Keras and torchvision: VGG-16"],
    ["alexnet", {}, 61_100_840, "torchvision: AlexNet"],
    ["overfeat", {}, 145_920_872, "arXiv:1312.6229, table 3: 145 million"],
    ["googlenet", {}, 6_998_552, "BVLC GoogLeNet without auxiliary classifiers; 7 million"],
    ["resnet", {}, 25_557_032, "torchvision: ResNet-50"],
    ["resnet", { depth: 101 }, 44_549_160, "torchvision: ResNet-101"],
    ["resnet", { depth: 152 }, 60_192_808, "torchvision: ResNet-152"],
    ["densenet", {}, 7_978_856, "torchvision: DenseNet-121"],
    ["densenet", { depth: 201 }, 20_013_928, "torchvision: DenseNet-201"],
    ["squeezenet", {}, 1_248_424, "torchvision: SqueezeNet 1.0"],
    ["mobilenet", {}, 4_231_976, "Keras: MobileNet v1"],
  ])("%s %o has %i (%s)", (name, options, parameters) => {
    expect(trainable(build(name, { ...options, initialization: "zeros" }))).toBe(parameters);
  });

  test.each([
    [20, 0.27],
    [32, 0.46],
    [56, 0.85],
    [110, 1.7],
  ])("ResNet-%i for CIFAR has %f million (arXiv:1512.03385, table 6, within 3 %%)", (depth, millions) => {
    const model = build("resnet", { depth, imageSize: 32, classes: 10, initialization: "zeros" });
    // The paper's shortcuts have no weights (option A), ours are 1x1 convolutions: 2,560 weights more.
    expect(Math.abs(trainable(model) / 1e6 - millions) / millions).toBeLessThan(0.03);
  });

  test("DenseNet-BC-100 for CIFAR has 0.8 million (arXiv:1608.06993, table 2)", () => {
    const model = build("densenet", { depth: 100, imageSize: 32, classes: 10, initialization: "zeros" });
    expect(trainable(model)).toBe(769_162);
  });
});

describe("depth", () => {
  test.each([
    [16, 13],
    [116, 113],
    [216, 213],
    [316, 313],
    [416, 413],
  ])("VGG-%i has %i convolutions and three dense layers (vDNN, section 4.3)", (depth, expected) => {
    const model = build("vgg", { depth, width: 1 / 32, imageSize: 32, classes: 10, initialization: "zeros" });
    expect(convolutions(model)).toBe(expected);
    expect(model.layers.filter((layer) => layer.getClassName() === "Dense")).toHaveLength(3);
  });

  test("of the benchmark chain is 100 convolutions over 32x32x32 feature maps", () => {
    const model = build("chain", { initialization: "zeros" });
    expect(convolutions(model)).toBe(100);
    expect(model.getLayer("conv100").outputShape).toEqual([null, 32, 32, 32]);
  });

  test.each([
    ["vgg", { depth: 17 }],
    ["resnet", { depth: 51 }],
    ["densenet", { depth: 12 }],
    ["alexnet", { depth: 8 }],
    ["lstm", { imageSize: 32 }],
    ["chain", { depth: 1.5 }],
    ["chain", { width: -1 }],
    ["chain", { depht: 3 }],
  ])("and other options that %s cannot have are refused: %o", (name, options) => {
    expect(() => build(name, options as NetworkOptions)).toThrow(VdnnError);
  });
});

describe.each(Object.keys(networks))("%s", (name) => {
  test("has the same names and the same weights when built twice", () => {
    const [first, second] = [build(name, tiny(name)), build(name, tiny(name))] as const;
    const layerNames = first.layers.map((layer) => layer.name);
    expect(second.layers.map((layer) => layer.name)).toEqual(layerNames);
    expect(second.getWeights().map((w) => w.dataSync())).toEqual(first.getWeights().map((w) => w.dataSync()));
  });

  test("has other weights with another seed, and no two layers alike", () => {
    const first = build(name, tiny(name));
    const second = build(name, { ...tiny(name), seed: 2 });
    expect(kernels(first).filter((kernel, i) => kernel === kernels(second)[i])).toEqual([]);
    expect(new Set(kernels(first)).size).toBe(kernels(first).length);
  });

  test("makes the same batch from the same seed", () => {
    const network = findNetwork(name);
    const model = build(name, tiny(name));
    const [first, again, other] = [7, 7, 8].map((seed) => network.batch(tf, model, 3, seed));
    expect(again?.xs.dataSync()).toEqual(first?.xs.dataSync());
    expect(again?.ys.dataSync()).toEqual(first?.ys.dataSync());
    expect(other?.xs.dataSync()).not.toEqual(first?.xs.dataSync());
    for (const batch of [first, again, other]) tf.dispose([batch?.xs ?? [], batch?.ys ?? []]);
  });

  test("learns: the loss falls on a batch that it sees again and again", async () => {
    const network = findNetwork(name);
    const model = build(name, tiny(name));
    const optimizer = tf.train.adam(0.02);
    model.compile({ loss: network.loss, optimizer });
    const { xs, ys } = network.batch(tf, model, 4, 7);
    const losses: number[] = [];
    for (let step = 0; step < 7; step++) losses.push(...[await model.trainOnBatch(xs, ys)].flat());
    expect(Math.min(...losses.slice(-3))).toBeLessThan((losses[0] ?? 0) * 0.95);
    tf.dispose([xs, ys]);
    optimizer.dispose();
  });
});

test("an unknown network is refused with the names there are", () => {
  expect(() => findNetwork("vggnet")).toThrow(/unknown network "vggnet"; known are chain, alexnet, .*transformer/);
  expect(() => findNetwork("toString")).toThrow(VdnnError);
});
