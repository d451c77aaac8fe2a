/** A classifier that trains in a second: digits of 10x10 pixels, two small networks for them, and training with and without vdnn. */
import type { LayersModel } from "@tensorflow/tfjs";
import { adam, type Classifier, crossEntropy, train } from "../../../src/compression/training/classifier.ts";
import type { CompressionOptions } from "../../../src/compression/training/options.ts";
import { drawnDigits } from "../../../src/data/digits.ts";
import { findNetwork, type TensorFlow } from "../../../src/networks/index.ts";
import type { VirtualizeOptions } from "../../../src/runtime/options.ts";
import type { SessionReport } from "../../../src/report/result.ts";
import { virtualize } from "../../../src/platforms/node.ts";

export const DATA = drawnDigits({ trainCount: 640, testCount: 200, imageSize: 10, difficulty: 0.3 });

/** `lenet300` of 30 and 10 units, 3400 weights; `lenet5` of 5, 13 and 125 channels. */
export function smallModel(tf: TensorFlow, name: "lenet300" | "lenet5" = "lenet300"): LayersModel {
  const width = name === "lenet300" ? 0.1 : 0.25;
  return findNetwork(name).build(tf, { width, imageSize: 10 });
}

export function classifierOf(tf: TensorFlow, model: LayersModel, change: Partial<Classifier> = {}): Classifier {
  return { tf, model, data: DATA, batchSize: 64, loss: crossEntropy, optimizer: adam, seed: 1, ...change };
}

export async function trained(tf: TensorFlow, model: LayersModel, epochs = 4): Promise<LayersModel> {
  await train(classifierOf(tf, model), { epochs, learningRate: 3e-3 }, "dense");
  return model;
}

/** Few epochs; both networks get through in seconds. */
export const QUICK: CompressionOptions = {
  batchSize: 64,
  keep: 0.2,
  rounds: 3,
  pruning: { epochs: 1, learningRate: 3e-3 },
  retraining: [{ epochs: 2, learningRate: 3e-3 }],
  fineTuning: [{ epochs: 1, learningRate: 3e-4 }],
  sensitivityImages: 100,
  sensitivityShares: [0.5, 0.2, 0.05],
};

/** The bits of all weights. */
export function bitsOf(model: LayersModel): string {
  return model.weights.map((weight) => Buffer.from(weight.read().dataSync().slice().buffer).toString("hex")).join();
}

/** Runs `action` in a session. */
export async function underVdnn<T>(
  tf: TensorFlow,
  options: VirtualizeOptions,
  action: () => Promise<T>,
): Promise<{ readonly value: T; readonly report: SessionReport }> {
  const session = await virtualize(tf, options);
  try {
    const value = await action();
    return { value, report: session.report() };
  } finally {
    await session.dispose();
  }
}
