/** The ways in which tf.layers trains: `fit`, `fitDataset`, `trainOnBatch`, with everything that goes on around a step. */
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { oneHot, uniform } from "./samples.ts";
import { modelCase, readScalar } from "./training.ts";

const CLASSES = 3;
const COMPILE = { loss: "categoricalCrossentropy" } as const;

function classifier(tf: TensorFlow): LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu", inputShape: [6, 6, 2] }),
      tf.layers.batchNormalization({}),
      tf.layers.flatten(),
      tf.layers.dense({ units: 6, activation: "tanh" }),
      tf.layers.dense({ units: CLASSES, activation: "softmax" }),
    ],
  });
}

const samples = (tf: TensorFlow, key: string, count: number) => ({
  xs: uniform(tf, `${key}xs`, [count, 6, 6, 2]),
  ys: oneHot(tf, `${key}ys`, count, CLASSES),
});

/** The numbers of a history, one list per epoch: the loss first, then metrics and validation in the order of their names. */
function historyOf(history: Readonly<Record<string, readonly (number | object)[]>>): number[] {
  const { loss = [], ...rest } = history;
  const others = Object.keys(rest)
    .sort()
    .map((name) => rest[name] ?? []);
  return loss.flatMap((_, epoch) => [loss, ...others].map((values) => Number(values[epoch])));
}

const fitCase = (
  name: string,
  metrics: string[],
  args: Parameters<LayersModel["fit"]>[2],
  { validate = false, unseeded = false } = {},
): ConformanceCase =>
  modelCase({
    name,
    cost: "tiny",
    unseeded,
    build: classifier,
    compile: { ...COMPILE, metrics },
    run: async ({ tf, model, steps }) => {
      const { xs, ys } = samples(tf, "fit", 11);
      const validation = samples(tf, "validation", 5);
      const validationData: [typeof xs, typeof ys] = [validation.xs, validation.ys];
      const { history } = await model.fit(xs, ys, {
        epochs: Math.ceil(steps / 2),
        batchSize: 4,
        ...args,
        ...(validate ? { validationData } : {}),
      });
      tf.dispose([xs, ys, validation.xs, validation.ys]);
      return historyOf(history);
    },
  });

export const fitCases: readonly ConformanceCase[] = [
  fitCase(
    "fits several epochs with a short last batch and validation data",
    ["accuracy"],
    { shuffle: false },
    {
      validate: true,
    },
  ),
  fitCase("fits with metrics", ["accuracy", "mse", "categoricalCrossentropy"], { shuffle: false }),
  fitCase(
    "fits with a validation split, shuffled without a seed",
    ["accuracy"],
    { validationSplit: 0.3 },
    {
      unseeded: true,
    },
  ),
  fitCase("fits with class weights", [], { shuffle: false, classWeight: { 0: 0.5, 1: 1, 2: 3 } }),
  modelCase({
    name: "fits from a dataset",
    cost: "tiny",
    build: classifier,
    compile: { ...COMPILE, metrics: ["accuracy"] },
    run: async ({ tf, model, steps }) => {
      function* batches() {
        for (let i = 0; i < 3; i++) yield samples(tf, `batch${i}`, 3 + (i % 2));
      }
      const dataset = tf.data.generator(batches as never) as never;
      const { history } = await model.fitDataset(dataset, { epochs: Math.ceil(steps / 2) });
      return historyOf(history);
    },
  }),
  modelCase({
    name: "evaluates and predicts between training calls",
    cost: "tiny",
    build: classifier,
    compile: { ...COMPILE, metrics: ["accuracy"] },
    run: async ({ tf, model, steps, report }) => {
      const losses: number[] = [];
      for (let step = 0; step < steps; step++) {
        const { xs, ys } = samples(tf, `step${step}`, 4);
        losses.push(...[await model.trainOnBatch(xs, ys)].flat());
        for (const scalar of [model.evaluate(xs, ys, { batchSize: 3 })].flat()) losses.push(await readScalar(scalar));
        const [prediction] = [model.predict(xs, { batchSize: 2 })].flat();
        if (prediction !== undefined) report(`prediction${step}`, prediction);
        tf.dispose([xs, ys]);
      }
      return losses;
    },
  }),
  modelCase({
    name: "trains with another batch size at every step",
    cost: "tiny",
    build: classifier,
    compile: COMPILE,
    data: (tf, step) => samples(tf, `step${step}`, [4, 1, 6, 4, 3][step % 5] ?? 4),
  }),
  modelCase({
    name: "saves weights and restores them in the midst of training",
    cost: "tiny",
    build: classifier,
    compile: COMPILE,
    run: async ({ tf, model, steps }) => {
      const losses: number[] = [];
      const saved = tf.tidy(() => model.getWeights().map((weight) => tf.keep(weight.clone())));
      for (let step = 0; step < steps; step++) {
        const { xs, ys } = samples(tf, `step${step}`, 4);
        losses.push(...[await model.trainOnBatch(xs, ys)].flat());
        if (step === 2) model.setWeights(saved);
        tf.dispose([xs, ys]);
      }
      tf.dispose(saved);
      return losses;
    },
  }),
];

function sharedLayers(tf: TensorFlow): LayersModel {
  const input = tf.input({ shape: [6, 6, 3] });
  const shared = tf.layers.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "relu" });
  const norm = tf.layers.batchNormalization({});
  let x = input;
  for (let i = 0; i < 3; i++) x = norm.apply(shared.apply(x)) as typeof input;
  const outputs = tf.layers.dense({ units: 2 }).apply(tf.layers.flatten().apply(x)) as typeof input;
  return tf.model({ inputs: input, outputs });
}

function twoInputsAndOutputs(tf: TensorFlow): LayersModel {
  const image = tf.input({ shape: [6, 6, 2] });
  const vector = tf.input({ shape: [4] });
  const features = tf.layers.flatten().apply(tf.layers.conv2d({ filters: 3, kernelSize: 3 }).apply(image));
  const hidden = tf.layers.dense({ units: 5, activation: "tanh" }).apply(vector) as typeof image;
  const joined = tf.layers.concatenate().apply([features as typeof image, hidden]) as typeof image;
  const merged = tf.layers.multiply().apply([hidden, tf.layers.dense({ units: 5 }).apply(joined) as typeof image]);
  const label = tf.layers.dense({ units: CLASSES, activation: "softmax" }).apply(joined) as typeof image;
  const score = tf.layers.dense({ units: 1 }).apply(merged) as typeof image;
  return tf.model({ inputs: [image, vector], outputs: [label, score] });
}

function merging(tf: TensorFlow): LayersModel {
  const input = tf.input({ shape: [5] });
  const branch = () => tf.layers.dense({ units: 4 }).apply(input) as typeof input;
  const merged = [
    tf.layers.add(),
    tf.layers.average(),
    tf.layers.maximum(),
    tf.layers.minimum(),
    tf.layers.multiply(),
  ].map((layer) => layer.apply([branch(), branch()]) as typeof input);
  const outputs = tf.layers.dense({ units: 2 }).apply(tf.layers.concatenate().apply(merged)) as typeof input;
  return tf.model({ inputs: input, outputs });
}

export const topologyCases: readonly ConformanceCase[] = [
  modelCase({
    name: "trains layers that are applied several times",
    cost: "tiny",
    build: sharedLayers,
    data: (tf, step) => ({ xs: uniform(tf, `x${step}`, [3, 6, 6, 3]), ys: uniform(tf, `y${step}`, [3, 2]) }),
  }),
  modelCase({
    name: "trains two inputs and two outputs with loss weights",
    cost: "tiny",
    build: twoInputsAndOutputs,
    // TensorFlow.js has no lossWeights; this is how its users weigh losses.
    compile: (tf) => ({
      loss: [
        (labels: Tensor, predictions: Tensor) => tf.metrics.categoricalCrossentropy(labels, predictions).mul(0.3),
        (labels: Tensor, predictions: Tensor) => tf.metrics.meanSquaredError(labels, predictions).mul(2),
      ],
    }),
    data: (tf, step) => ({
      xs: [uniform(tf, `a${step}`, [4, 6, 6, 2]), uniform(tf, `b${step}`, [4, 4])],
      ys: [oneHot(tf, `c${step}`, 4, CLASSES), uniform(tf, `d${step}`, [4, 1])],
    }),
  }),
  modelCase({
    name: "trains branches that are added, averaged, multiplied and compared",
    cost: "tiny",
    build: merging,
    data: (tf, step) => ({ xs: uniform(tf, `x${step}`, [4, 5]), ys: uniform(tf, `y${step}`, [4, 2]) }),
  }),
  modelCase({
    name: "trains a model that contains another model",
    cost: "tiny",
    build: (tf) => {
      const inner = tf.sequential({
        layers: [tf.layers.dense({ units: 4, activation: "relu", inputShape: [5] }), tf.layers.batchNormalization({})],
      });
      return tf.sequential({ layers: [inner, tf.layers.dense({ units: 2 })] });
    },
    data: (tf, step) => ({ xs: uniform(tf, `x${step}`, [4, 5]), ys: uniform(tf, `y${step}`, [4, 2]) }),
  }),
];
