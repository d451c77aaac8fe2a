/**
 * A classifier and the data it is trained on: loss, gradient steps and accuracy of a tf.layers model, in plain TensorFlow.js calls
 * that run the same under vdnn and without it. The model need not be compiled.
 */
import type { LayersModel, Optimizer, Scalar, Tensor, Variable } from "@tensorflow/tfjs";
import { type DataSplit, batches, batchOf, checkImages, type LabeledImages, shuffledOrder } from "../../data/images.ts";
import { deriveSeed } from "../../networks/data.ts";
import type { TensorFlow } from "../../networks/network.ts";
import { invalidOption } from "../invalid.ts";

/** The mean loss of a batch, a scalar. `labels` are one-hot. */
export type Loss = (tf: TensorFlow, labels: Tensor, predictions: Tensor) => Tensor;

export interface Classifier {
  readonly tf: TensorFlow;
  readonly model: LayersModel;
  readonly data: DataSplit;
  readonly batchSize: number;
  readonly loss: Loss;
  readonly optimizer: (tf: TensorFlow, learningRate: number) => Optimizer;
  /** Of the order in which the images are shown. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Passes over the training images at one rate, with an optimizer of their own. */
export interface Phase {
  readonly epochs: number;
  readonly learningRate: number;
}

export interface EpochResult {
  /** Mean over the epoch's batches. */
  readonly loss: number;
}

const MEASURING_BATCH = 500;

/** What is measured. Batches are those of training, which fit the device then as well; default 500. */
export type Predictor = Pick<Classifier, "tf" | "model" | "signal"> & Partial<Pick<Classifier, "batchSize">>;

export const crossEntropy: Loss = (tf, labels, predictions) =>
  tf.metrics.categoricalCrossentropy(labels, predictions).mean();

export const adam: Classifier["optimizer"] = (tf, learningRate) => tf.train.adam(learningRate);

/** @throws VdnnError `ERR_INVALID_OPTION` when the data cannot be used, or does not fit the model */
export function checkClassifier({ model, data, batchSize }: Classifier): void {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw invalidOption("batchSize", `expected a whole number of at least 1, got ${batchSize}`);
  }
  for (const [part, images] of Object.entries(data) as ["train" | "test", LabeledImages][]) {
    checkImages(images, `${part} images`);
    const { height, width, classes } = images;
    const expected = model.inputs.map(({ shape }) => shape.slice(1).join("x")).join(", ");
    if (expected !== `${height}x${width}x1`) {
      throw invalidOption("data", `the model takes ${expected}, but the ${part} images are ${height}x${width}x1`);
    }
    const outputs = model.outputs.map(({ shape }) => shape.slice(1).join("x")).join(", ");
    if (outputs !== String(classes)) {
      throw invalidOption("data", `the model tells ${outputs} classes apart, but the ${part} images have ${classes}`);
    }
  }
}

/** The variables that training changes. */
export function trainableVariables(model: LayersModel): Variable[] {
  return model.trainableWeights.map((weight) => weight.read() as Variable);
}

/** Loss of one batch with what the model's own regularizers add. Call it inside `variableGrads` or `minimize`. */
export function batchLoss({ tf, model, loss }: Classifier, xs: Tensor, ys: Tensor): Scalar {
  const predictions = model.apply(xs, { training: true }) as Tensor;
  const penalties = model.calculateLosses();
  return penalties.reduce<Tensor>((sum, penalty) => sum.add(penalty), loss(tf, ys, predictions)).asScalar();
}

/**
 * One pass over the training images in an order of its own.
 *
 * @param step trains on one batch and returns its loss, which is disposed here
 * @param name tells this epoch's order apart from those of others
 */
export async function runEpoch(
  classifier: Classifier,
  name: string,
  step: (xs: Tensor, ys: Tensor) => Tensor,
): Promise<EpochResult> {
  const { tf, data, batchSize, seed, signal } = classifier;
  let [sum, steps] = [0, 0];
  for (const indices of batches(shuffledOrder(data.train.count, deriveSeed(seed, name)), batchSize)) {
    await checkAborted(signal);
    const { xs, ys } = batchOf(tf, data.train, indices);
    try {
      const loss = step(xs, ys);
      sum += (await loss.data())[0] ?? Number.NaN;
      loss.dispose();
      steps++;
    } finally {
      tf.dispose([xs, ys]);
    }
  }
  return { loss: sum / steps };
}

/**
 * Ordinary training.
 *
 * @param name of the phase; the same name gives the same orders
 * @param afterUpdate called after every step, as where masks are put on again
 */
export async function train(
  classifier: Classifier,
  { epochs, learningRate }: Phase,
  name: string,
  afterUpdate: () => void = () => undefined,
  onEpoch: (epoch: number, result: EpochResult) => void = () => undefined,
): Promise<void> {
  const { tf, model } = classifier;
  const variables = trainableVariables(model);
  const optimizer = classifier.optimizer(tf, learningRate);
  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      const result = await runEpoch(classifier, `${name}/${epoch}`, (xs, ys) => {
        const loss = optimizer.minimize(() => batchLoss(classifier, xs, ys), true, variables) as Scalar;
        afterUpdate();
        return loss;
      });
      onEpoch(epoch, result);
    }
  } finally {
    optimizer.dispose();
  }
}

/** Share of images that the model puts in the right class, 0 to 1. */
export async function accuracyOf(
  { tf, model, signal, batchSize = MEASURING_BATCH }: Predictor,
  images: LabeledImages,
): Promise<number> {
  const order = Uint32Array.from({ length: images.count }, (_, i) => i);
  let right = 0;
  for (const indices of batches(order, batchSize)) {
    await checkAborted(signal);
    const { xs, ys } = batchOf(tf, images, indices);
    const guesses = tf.tidy(() => (model.apply(xs) as Tensor).argMax(-1));
    for (const [i, guess] of (await guesses.data()).entries()) {
      if (guess === images.labels[indices[i] ?? 0]) right++;
    }
    tf.dispose([xs, ys, guesses]);
  }
  return right / images.count;
}

/** Backends that compute at once never let the event loop turn by themselves, and what aborts comes from there. */
async function checkAborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  await new Promise<void>((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve);
  });
  signal.throwIfAborted();
}
