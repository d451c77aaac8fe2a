/**
 * A transformer encoder that classifies sequences (Vaswani et al., "Attention is all you need", arXiv:1706.03762), with layer
 * normalization before each part (Xiong et al., arXiv:2002.04745) and learned positions. Attention is a layer of our own,
 * built of matMul and softmax: tf.layers has none, and tf.einsum has no gradient.
 */
import type { layers as tfLayers, SymbolicTensor, Tensor } from "@tensorflow/tfjs";
import { tokenBatch } from "./data.ts";
import { apply, createLayers, type Layers } from "./layers.ts";
import { vocabularyOf } from "./lstm.ts";
import { resolveOptions, SEQUENCE_DEFAULTS, type Network, type TensorFlow } from "./network.ts";

/** Channels per attention head; a width that is not a multiple of it gets one head. */
const HEAD_CHANNELS = 32;
const FEED_FORWARD_EXPANSION = 4;

export const transformer: Network = {
  name: "transformer",
  description: "encoder of depth blocks and width channels, learned positions, average over tokens",
  defaults: { ...SEQUENCE_DEFAULTS, depth: 4, width: 128 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(transformer, options);
    const { depth, sequenceLength, vocabulary, classes } = settings;
    const channels = Math.round(settings.width);
    const layers = createLayers(tf, settings);

    const input = layers.input([sequenceLength], "int32");
    const embeddingsInitializer = layers.initializer("embedding", "glorot");
    let x = apply(
      tf.layers.embedding({ name: "embedding", inputDim: vocabulary, outputDim: channels, embeddingsInitializer }),
      input,
    );
    x = apply(positionLayer(tf, "positions", layers.initializer("positions", "glorot")), x);
    for (let i = 1; i <= depth; i++) x = encoderBlock(tf, layers, x, `block${i}`, channels);
    x = layers.layerNorm(x, "final_norm");
    x = apply(tf.layers.globalAveragePooling1d({ name: "pool" }), x);
    return tf.model({ name: "transformer", inputs: input, outputs: layers.dense(x, "classes", classes, "softmax") });
  },
  batch: (tf, model, batchSize, seed) => tokenBatch(tf, model, batchSize, vocabularyOf(model), seed),
};

function encoderBlock(
  tf: TensorFlow,
  layers: Layers,
  x: SymbolicTensor,
  name: string,
  channels: number,
): SymbolicTensor {
  const normalized = layers.layerNorm(x, `${name}_norm1`);
  const [query, key, value] = ["query", "key", "value"].map((part) =>
    layers.dense(normalized, `${name}_${part}`, channels),
  ) as [SymbolicTensor, SymbolicTensor, SymbolicTensor];
  const attended = apply(attentionLayer(tf, `${name}_attention`, attentionHeads(channels)), [query, key, value]);
  const first = layers.add([x, layers.dense(attended, `${name}_project`, channels)], `${name}_add1`);

  const hidden = layers.dense(
    layers.layerNorm(first, `${name}_norm2`),
    `${name}_up`,
    channels * FEED_FORWARD_EXPANSION,
    "relu",
  );
  return layers.add([first, layers.dense(hidden, `${name}_down`, channels)], `${name}_add2`);
}

export function attentionHeads(channels: number): number {
  return channels % HEAD_CHANNELS === 0 ? channels / HEAD_CHANNELS : 1;
}

/** Scaled dot-product attention over heads: [query, key, value], each `[batch, tokens, channels]`, to the same shape. */
function attentionLayer(tf: TensorFlow, name: string, heads: number): tfLayers.Layer {
  class Attention extends tf.layers.Layer {
    static readonly className = "Attention";

    override call(inputs: Tensor | Tensor[]): Tensor {
      const [query, key, value] = inputs as [Tensor, Tensor, Tensor];
      const [batch = 1, tokens = 1, channels = 1] = query.shape;
      const split = (x: Tensor): Tensor => x.reshape([batch, tokens, heads, channels / heads]).transpose([0, 2, 1, 3]);
      return tf.tidy(() => {
        const scale = 1 / Math.sqrt(channels / heads);
        const scores = tf.matMul(split(query), split(key), false, true).mul(scale).softmax();
        const mixed = tf.matMul(scores, split(value));
        return mixed.transpose([0, 2, 1, 3]).reshape([batch, tokens, channels]);
      });
    }

    override computeOutputShape(inputShape: (number | null)[][]): (number | null)[] {
      return inputShape[0] ?? [];
    }
  }
  return new Attention({ name });
}

/** Adds one learned vector per position: `[batch, tokens, channels]` to the same shape. */
function positionLayer(tf: TensorFlow, name: string, initializer: ReturnType<Layers["initializer"]>): tfLayers.Layer {
  class Positions extends tf.layers.Layer {
    static readonly className = "Positions";

    override build([, tokens, channels]: (number | null)[]): void {
      this.addWeight("positions", [tokens ?? 1, channels ?? 1], "float32", initializer);
      this.built = true;
    }

    override call(inputs: Tensor | Tensor[]): Tensor {
      const [x] = [inputs].flat();
      const [positions] = this.weights;
      if (x === undefined || positions === undefined) throw new Error(`${name}: called before it was built`);
      return x.add(positions.read());
    }
  }
  return new Positions({ name });
}
