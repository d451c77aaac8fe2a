/** Iterations made from shapes: valid graphs, the papers' sizes, no memory, and errors for what has no model. */
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { checkGraph } from "../../src/graph/check.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { networks } from "../../src/networks/index.ts";
import { timed } from "../../src/simulator/kernel-times.ts";
import { modelGraph } from "../../src/simulator/model-graph.ts";
import { networkNamed } from "../../src/simulator/networks.ts";
import { withoutWeights } from "../../src/simulator/shape-only.ts";
import type { WorkGraph } from "../../src/simulator/work.ts";
import { TITAN_X, workGraph } from "./graphs.ts";

const FLOAT_BYTES = 4;

beforeAll(async () => {
  await tf.setBackend("cpu");
  await tf.ready();
});

afterEach(() => {
  tf.disposeVariables();
});

function graphOf(work: WorkGraph): Graph {
  return timed(work, TITAN_X, { algorithms: () => "p" });
}

function bytesOf({ tensors }: WorkGraph, role: string): number {
  return tensors.reduce((sum, tensor) => sum + (tensor.role === role ? tensor.bytes : 0), 0);
}

describe.each(Object.keys(networks))("%s", (name) => {
  test("is a valid graph, made without a tensor", () => {
    const before = tf.memory().numTensors;
    const graph = graphOf(workGraph(name, 8));
    expect(tf.memory().numTensors).toBe(before);
    expect(() => checkGraph(graph, name)).not.toThrow();
    for (const { ms } of graph.kernels) expect(ms).toBeGreaterThan(0);
  });

  test("computes every weight's gradient once, and uses it in an update", () => {
    const { kernels, weightGradients } = workGraph(name, 8);
    for (const gradient of weightGradients) {
      const writers = kernels.filter(({ outputs }) => outputs.includes(gradient));
      const readers = kernels.filter(({ inputs }) => inputs.includes(gradient));
      expect(writers.map(({ pass }) => pass)).toEqual(["backward"]);
      expect(readers.map(({ pass }) => pass)).toEqual(["update"]);
    }
  });

  test("reads no gradient before it is written, and leaves none unread", () => {
    const { kernels, tensors } = workGraph(name, 8);
    const written = new Set<number>();
    const read = new Set<number>();
    for (const { inputs, outputs } of kernels) {
      for (const t of inputs) if (tensors[t]?.role === "gradient") expect(written.has(t)).toBe(true);
      for (const t of inputs) read.add(t);
      for (const t of outputs) written.add(t);
    }
    tensors.forEach(({ role }, t) => {
      if (role === "gradient") expect(read.has(t)).toBe(true);
    });
  });
});

describe("sizes", () => {
  test.each([
    ["vgg-16", 138_357_544],
    ["resnet-50", 25_610_152],
    ["squeezenet", 1_248_424],
  ])("%s has the weights of its paper", (name, weights) => {
    expect(bytesOf(workGraph(name, 1), "weight") / FLOAT_BYTES).toBe(weights);
  });

  test.each(["chain", "lstm", "transformer"])("%s has the weights of the model built with data", (name) => {
    const { network } = networkNamed(name);
    const model = network.build(tf);
    const count = model.countParams();
    model.dispose();
    expect(bytesOf(workGraph(name, 1), "weight") / FLOAT_BYTES).toBe(count);
  });

  test("VGG-16 does 15.3 billion MACs per image in its convolutions (Simonyan and Zisserman's sizes)", () => {
    const flops = workGraph("vgg-16", 2).kernels.reduce(
      (sum, { pass, work }) => sum + (pass === "forward" && work.kind === "convolution" ? work.flops : 0),
      0,
    );
    expect(flops / 2 / 2 / 1e9).toBeCloseTo(15.35, 1);
  });

  test("VGG-16 keeps 58 MiB of feature maps per image (albanie/convnet-burden)", () => {
    const batch = 64;
    expect(bytesOf(workGraph("vgg-16", batch), "activation") / batch / 2 ** 20).toBeCloseTo(58, 0);
  });

  test("VGG-416 has 400 more convolutions than VGG-16, 80 in each group", () => {
    const count = (name: string): number =>
      Object.values(workGraph(name, 1).layers).filter((kind) => kind === "Conv2D").length;
    expect(count("vgg-416") - count("vgg-16")).toBe(400);
  });

  test("a convolution with bias and relu keeps one feature map", () => {
    const { tensors } = workGraph("chain", 4, { sizes: { depth: 3 } });
    const maps = tensors.filter(({ role, name }) => role === "activation" && name?.startsWith("conv") === true);
    expect(maps.map(({ name }) => name)).toEqual(["conv1/y", "conv2/y", "conv3/y"]);
  });

  test("momentum and adam add one and two states per weight", () => {
    for (const [optimizer, states] of [
      ["sgd", 0],
      ["momentum", 1],
      ["adam", 2],
    ] as const) {
      const work = workGraph("alexnet", 4, { optimizer });
      expect(bytesOf(work, "state")).toBe(states * bytesOf(work, "weight"));
    }
  });
});

test("a gradient that two layers share is added to, not written over", () => {
  const build = (): tf.LayersModel => {
    const input = tf.input({ shape: [4, 4, 3], name: "input" });
    const conv = (name: string, x: tf.SymbolicTensor): tf.SymbolicTensor =>
      tf.layers
        .conv2d({ name, filters: 3, kernelSize: 3, padding: "same", useBias: false })
        .apply(x) as tf.SymbolicTensor;
    const x = conv("first", input);
    const sum = tf.layers.add({ name: "sum" }).apply([conv("second", x), x]) as tf.SymbolicTensor;
    const flat = tf.layers.flatten({ name: "flat" }).apply(sum) as tf.SymbolicTensor;
    const outputs = tf.layers.dense({ name: "dense", units: 2, useBias: false, activation: "softmax" }).apply(flat);
    return tf.model({ name: "residual", inputs: input, outputs: outputs as tf.SymbolicTensor });
  };
  const { kernels, tensors } = modelGraph(withoutWeights(tf, build), { batch: 1 });
  const lines = kernels
    .filter(({ pass }) => pass === "backward")
    .map(({ name, inputs, outputs }) => [
      name,
      ...[inputs, outputs].map((list) => list.map((t) => tensors[t]?.name).join(" ")),
    ]);
  expect(lines).toEqual([
    ["CrossEntropyGrad", "dense/y loss/labels", "loss/d_probabilities"],
    ["SoftmaxGrad", "dense/y loss/d_probabilities", "loss/d_probabilities"],
    ["MatMulGradInput", "dense/kernel loss/d_probabilities", "dense/dx"],
    ["MatMulGradWeight", "sum/y loss/d_probabilities", "dense/d_kernel"],
    // The sum hands dense/dx on to the second convolution and to the first.
    ["Conv2DBackpropInput", "second/kernel dense/dx", "second/dx"],
    ["Add", "second/dx dense/dx", "second/dx"],
    ["Conv2DBackpropFilter", "first/y dense/dx", "second/d_kernel"],
    ["Conv2DBackpropFilter", "input/x second/dx", "first/d_kernel"],
  ]);
});

describe("withoutWeights", () => {
  test("puts addWeight back, also after an error", () => {
    const { addWeight } = tf.layers.Layer.prototype as unknown as { addWeight: unknown };
    expect(() =>
      withoutWeights(tf, () => {
        throw new Error("no model");
      }),
    ).toThrow("no model");
    expect((tf.layers.Layer.prototype as unknown as { addWeight: unknown }).addWeight).toBe(addWeight);
  });

  test("a layer without a model is an error that names it", () => {
    const build = (): tf.LayersModel => {
      const input = tf.input({ shape: [8, 8, 3] });
      const y = tf.layers.upSampling2d({ name: "up", size: [2, 2] }).apply(input) as tf.SymbolicTensor;
      return tf.model({ inputs: input, outputs: y });
    };
    expect(() => modelGraph(withoutWeights(tf, build), { batch: 1 })).toThrowError(
      expect.objectContaining({
        code: "ERR_UNSUPPORTED_LAYER",
        details: expect.objectContaining({ layer: "up", kind: "UpSampling2D" }),
      }),
    );
  });
});

describe("networkNamed", () => {
  test.each([
    ["VGG-416", "vgg", 416],
    ["resnet_50", "resnet", 50],
    ["AlexNet", "alexnet", undefined],
    ["densenet121", "densenet", 121],
  ])("%s", (name, network, depth) => {
    expect(networkNamed(name)).toMatchObject({ network: { name: network }, depth });
  });

  test.each([
    ["vggg-16", "vgg-16"],
    ["resnet50x", "resnet-50"],
    ["alexnett", "alexnet"],
    ["alexnet-16", "alexnet"],
  ])("%s is unknown, and near %s", (name, near) => {
    expect(() => networkNamed(name)).toThrowError(
      expect.objectContaining({ details: expect.objectContaining({ nearest: expect.arrayContaining([near]) }) }),
    );
  });
});
