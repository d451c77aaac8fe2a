/** Pruned weights stay at zero whatever the optimizer remembers, and training them under vdnn gives stock TensorFlow.js's bits. */
import type * as tfjs from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { pruneMask } from "../../../src/compression/pruning.ts";
import { train } from "../../../src/compression/training/classifier.ts";
import { modelLayers } from "../../../src/compression/training/layers.ts";
import { Masks } from "../../../src/compression/training/masks.ts";
import { readWeight } from "../../../src/compression/training/weights.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { bitsOf, classifierOf, smallModel, underVdnn } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

const OPTIMIZERS: readonly [string, (rate: number) => tfjs.Optimizer][] = [
  ["sgd", (rate) => tf.train.sgd(rate)],
  ["momentum", (rate) => tf.train.momentum(rate, 0.9)],
  ["adam", (rate) => tf.train.adam(rate)],
  ["rmsprop", (rate) => tf.train.rmsprop(rate, 0.9, 0.5)],
];

interface Retrained {
  readonly masks: ReadonlyMap<string, Uint8Array>;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly bits: string;
}

/** Two epochs dense, and two with a quarter of each kernel, in one go with one optimizer, so that it remembers the pruned weights. */
async function retrain(make: (rate: number) => tfjs.Optimizer): Promise<Retrained> {
  const model = smallModel(tf);
  const masks = new Masks(tf);
  const { prunable } = await modelLayers(model);
  const shapes = new Map<string, Uint8Array>();
  let epoch = 0;
  // Every epoch is a phase of its own, so the optimizer must outlive them.
  const optimizer = make(0.01);
  const dispose = optimizer.dispose.bind(optimizer);
  optimizer.dispose = () => undefined;
  const classifier = classifierOf(tf, model, { optimizer: () => optimizer });
  for (; epoch < 2; epoch++) await train(classifier, { epochs: 1, learningRate: 0.01 }, `dense/${epoch}`);
  for (const { name, kernel } of prunable) {
    const mask = pruneMask(await readWeight(kernel), { kind: "kept", share: 0.25 });
    masks.set(kernel, mask);
    shapes.set(name, mask);
  }
  for (; epoch < 4; epoch++) {
    await train(classifier, { epochs: 1, learningRate: 0.01 }, `sparse/${epoch}`, () => masks.apply());
  }
  const weights = new Map<string, Float32Array>();
  for (const { name, kernel } of prunable) weights.set(name, await readWeight(kernel));
  const bits = bitsOf(model);
  masks.dispose();
  model.dispose();
  dispose();
  return { masks: shapes, weights, bits };
}

describe.each(OPTIMIZERS)("retraining with %s", (_, make) => {
  test("leaves pruned weights at +0, moves the others, and has the same bits under vdnn", async () => {
    const stock = await retrain(make);
    for (const [name, weights] of stock.weights) {
      const mask = stock.masks.get(name) ?? new Uint8Array();
      const pruned = weights.filter((__, i) => mask[i] === 0);
      expect(pruned.length).toBe(Math.round(weights.length * 0.75));
      expect(pruned.every((weight) => Object.is(weight, 0))).toBe(true);
      expect(weights.filter((weight) => weight !== 0).length).toBeGreaterThan(weights.length / 5);
    }
    const loose = await underVdnn(tf, {}, () => retrain(make));
    expect(loose.value.bits).toBe(stock.bits);
    // Masks go on in every step and are part of what the plan was recorded from.
    const modes = loose.report.iterations.map(({ mode }) => mode);
    expect(modes.filter((mode) => mode === "planned").length).toBeGreaterThan(modes.length * 0.8);
    const adversarial = await underVdnn(tf, { policy: "vdnn-all", adversarial: true }, () => retrain(make));
    expect(adversarial.value.bits).toBe(stock.bits);
  });
});

test("masks give all their tensors back", async () => {
  const model = smallModel(tf);
  const before = tf.memory().numTensors;
  const masks = new Masks(tf);
  const { prunable } = await modelLayers(model);
  for (const share of [0.5, 0.1]) {
    for (const { kernel } of prunable) masks.set(kernel, pruneMask(await readWeight(kernel), { kind: "kept", share }));
  }
  masks.dispose();
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
});
