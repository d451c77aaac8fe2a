/** The LeNets against the papers that prune them. */
import * as tf from "@tensorflow/tfjs";
import type { LayersModel } from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { findNetwork } from "../../src/networks/index.ts";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** Kernels by layer, and biases together. */
function weights(model: LayersModel): { kernels: Record<string, number>; biases: number } {
  const size = (shape: readonly (number | null)[]): number => shape.reduce<number>((all, side) => all * (side ?? 1), 1);
  const kernels = model.weights.filter(({ originalName }) => originalName.endsWith("/kernel"));
  const biases = model.weights.filter(({ originalName }) => originalName.endsWith("/bias"));
  return {
    kernels: Object.fromEntries(kernels.map(({ originalName, shape }) => [originalName.split("/")[0], size(shape)])),
    biases: biases.reduce((sum, { shape }) => sum + size(shape), 0),
  };
}

describe("weights by layer (Deep Compression, ICLR 2016, tables 2 and 3: 235K, 30K, 1K; 0.5K, 25K, 400K, 5K)", () => {
  test("LeNet-300-100 has 266,200 and 410 biases", () => {
    const model = findNetwork("lenet300").build(tf, { initialization: "zeros" });
    expect(weights(model)).toEqual({ kernels: { ip1: 235_200, ip2: 30_000, ip3: 1000 }, biases: 410 });
    model.dispose();
  });

  test("LeNet-5 has 430,500 and 580 biases", () => {
    const model = findNetwork("lenet5").build(tf, { initialization: "zeros" });
    const kernels = { conv1: 500, conv2: 25_000, ip1: 400_000, ip2: 5000 };
    expect(weights(model)).toEqual({ kernels, biases: 580 });
    model.dispose();
  });
});

test.each(["lenet300", "lenet5"])("%s takes grey images of 28x28 and tells ten classes apart", (name) => {
  const model = findNetwork(name).build(tf, { initialization: "zeros" });
  expect(model.inputs[0]?.shape).toEqual([null, 28, 28, 1]);
  expect(model.outputs[0]?.shape).toEqual([null, 10]);
  model.dispose();
});
