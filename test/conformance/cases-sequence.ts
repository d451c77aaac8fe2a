/** Recurrent layers, embeddings and attention, trained with tf.layers. */
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { integers, oneHot, uniform } from "./samples.ts";
import { modelCase, type ModelSpec } from "./training.ts";

const CLASSES = 3;
const BATCH = 4;
const LENGTH = 5;
const VOCABULARY = 12;

type Build = (tf: TensorFlow) => LayersModel;

/** Sequences of vectors. */
function sequenceCase(name: string, build: Build, spec: Partial<ModelSpec> = {}): ConformanceCase {
  return modelCase({
    cost: "tiny",
    compile: { loss: "categoricalCrossentropy" },
    data: (tf, step) => ({
      xs: uniform(tf, `xs${step}`, [BATCH, LENGTH, 3]),
      ys: oneHot(tf, `ys${step}`, BATCH, CLASSES),
    }),
    ...spec,
    name,
    build,
  });
}

/** Sequences of tokens. */
function tokenCase(name: string, build: Build): ConformanceCase {
  return sequenceCase(name, build, {
    data: (tf, step) => ({
      xs: integers(tf, `xs${step}`, [BATCH, LENGTH], VOCABULARY),
      ys: oneHot(tf, `ys${step}`, BATCH, CLASSES),
    }),
  });
}

const inputShape = [LENGTH, 3];
const softmax = (tf: TensorFlow) => tf.layers.dense({ units: CLASSES, activation: "softmax" });

export const sequenceCases: readonly ConformanceCase[] = [
  sequenceCase("trains an LSTM", (tf) =>
    tf.sequential({ layers: [tf.layers.lstm({ units: 6, inputShape }), softmax(tf)] }),
  ),
  sequenceCase("trains a bidirectional GRU", (tf) =>
    tf.sequential({
      layers: [
        tf.layers.bidirectional({
          layer: tf.layers.gru({ units: 4, returnSequences: true }),
          mergeMode: "concat",
          inputShape,
        }),
        tf.layers.bidirectional({
          layer: tf.layers.gru({ units: 4, recurrentActivation: "sigmoid" }),
          mergeMode: "sum",
        }),
        softmax(tf),
      ],
    }),
  ),
  sequenceCase("trains stacked simple recurrent layers", (tf) =>
    tf.sequential({
      layers: [
        tf.layers.simpleRNN({ units: 5, returnSequences: true, inputShape }),
        tf.layers.simpleRNN({ units: 5, goBackwards: true, unroll: true, activation: "relu" }),
        softmax(tf),
      ],
    }),
  ),
  sequenceCase(
    "trains a stateful LSTM that carries its state from batch to batch",
    (tf) =>
      tf.sequential({
        layers: [tf.layers.lstm({ units: 4, stateful: true, batchInputShape: [BATCH, LENGTH, 3] }), softmax(tf)],
      }),
    {
      cleanUp: (tf, model) => {
        model.resetStates();
        tf.dispose((model.layers[0] as unknown as { getStates(): Tensor[] }).getStates());
      },
    },
  ),
  sequenceCase(
    "trains an LSTM with dropout on inputs and states, without seeds",
    (tf) =>
      tf.sequential({
        layers: [tf.layers.lstm({ units: 4, dropout: 0.2, recurrentDropout: 0.3, inputShape }), softmax(tf)],
      }),
    {
      unseeded: true,
      // The cell keeps the masks of its last call until its next one.
      cleanUp: (tf, model) => {
        const { cell } = model.layers[0] as unknown as { cell: Record<string, Tensor | Tensor[]> };
        tf.dispose([cell["dropoutMask"] ?? [], cell["recurrentDropoutMask"] ?? []]);
      },
    },
  ),
  sequenceCase("trains time-distributed dense layers", (tf) =>
    tf.sequential({
      layers: [
        tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 4, activation: "relu" }), inputShape }),
        tf.layers.globalAveragePooling1d({}),
        softmax(tf),
      ],
    }),
  ),
  sequenceCase(
    "trains a convolutional LSTM",
    (tf) =>
      tf.sequential({
        layers: [
          tf.layers.convLstm2d({ filters: 2, kernelSize: 3, inputShape: [3, 6, 6, 2] }),
          tf.layers.flatten(),
          softmax(tf),
        ],
      }),
    {
      data: (tf, step) => ({
        xs: uniform(tf, `xs${step}`, [2, 3, 6, 6, 2]),
        ys: oneHot(tf, `ys${step}`, 2, CLASSES),
      }),
    },
  ),
  tokenCase("trains an embedding", (tf) =>
    tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: VOCABULARY, outputDim: 4, inputLength: LENGTH }),
        tf.layers.flatten(),
        softmax(tf),
      ],
    }),
  ),
  tokenCase("trains an embedding whose padding is masked", (tf) =>
    tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: VOCABULARY, outputDim: 4, inputLength: LENGTH, maskZero: true }),
        tf.layers.gru({ units: 4 }),
        softmax(tf),
      ],
    }),
  ),
  tokenCase("trains one embedding used for two inputs of a dot product", (tf) => {
    const input = tf.input({ shape: [LENGTH] });
    const embedding = tf.layers.embedding({ inputDim: VOCABULARY, outputDim: 4 });
    const first = embedding.apply(input) as typeof input;
    const second = tf.layers.dense({ units: 4 }).apply(embedding.apply(input)) as typeof input;
    const scores = tf.layers.dot({ axes: [2, 2] }).apply([first, second]) as typeof input;
    const weighted = tf.layers.activation({ activation: "softmax" }).apply(scores) as typeof input;
    const context = tf.layers.dot({ axes: [2, 1] }).apply([weighted, second]) as typeof input;
    const outputs = softmax(tf).apply(tf.layers.flatten().apply(context)) as typeof input;
    return tf.model({ inputs: input, outputs });
  }),
];
