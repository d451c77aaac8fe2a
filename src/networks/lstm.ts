/**
 * A stack of LSTM layers over an embedding (Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8),
 * 1997), classifying sequences. Its tape holds one group of small tensors per token, unlike that of a convolutional network.
 */
import { tokenBatch } from "./data.ts";
import { apply, createLayers } from "./layers.ts";
import { resolveOptions, SEQUENCE_DEFAULTS, type Network } from "./network.ts";

export const lstm: Network = {
  name: "lstm",
  description: "embedding and depth LSTM layers of width units",
  defaults: { ...SEQUENCE_DEFAULTS, depth: 2, width: 128 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(lstm, options);
    const { depth, sequenceLength, vocabulary, classes } = settings;
    const units = Math.round(settings.width);
    const layers = createLayers(tf, settings);

    const input = layers.input([sequenceLength], "int32");
    const embeddingsInitializer = layers.initializer("embedding", "glorot");
    let x = apply(
      tf.layers.embedding({ name: "embedding", inputDim: vocabulary, outputDim: units, embeddingsInitializer }),
      input,
    );
    for (let i = 1; i <= depth; i++) {
      const layer = tf.layers.lstm({
        name: `lstm${i}`,
        units,
        returnSequences: i < depth,
        kernelInitializer: layers.initializer(`lstm${i}/kernel`, "glorot"),
        // Orthogonal, the usual choice, takes TensorFlow.js seconds for a few hundred units.
        recurrentInitializer: layers.initializer(`lstm${i}/recurrent`, "glorot"),
      });
      x = apply(layer, x);
    }
    return tf.model({ name: "lstm", inputs: input, outputs: layers.dense(x, "classes", classes, "softmax") });
  },
  batch: (tf, model, batchSize, seed) => tokenBatch(tf, model, batchSize, vocabularyOf(model), seed),
};

/** The number of distinct tokens that a model's embedding knows. */
export function vocabularyOf(model: Parameters<Network["batch"]>[1]): number {
  return model.getLayer("embedding").weights[0]?.shape[0] ?? 1;
}
