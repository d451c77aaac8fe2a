/**
 * MobileNet v1 (Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
 * arXiv:1704.04861, table 1): depthwise 3x3 and pointwise 1x1 convolutions in turn, each with batch normalization.
 */
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { imageBatch } from "./data.ts";
import { createLayers, scaled, type Layers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

/** Channels after each separable block, and the stride of its depthwise convolution. */
const BLOCKS = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
] as const;

export const mobilenet: Network = {
  name: "mobilenet",
  description: "MobileNet v1; width is the paper's multiplier alpha",
  defaults: IMAGE_DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(mobilenet, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    // Small images keep their resolution in the stem, as CIFAR versions of this network do.
    const strides = imageSize < 64 ? 1 : 2;

    const input = layers.input([imageSize, imageSize, 3]);
    let x = layers.conv(input, "conv1", { filters: scaled(32, width), kernel: 3, strides, bias: false });
    x = normalize(layers, x, "conv1");
    for (const [index, [channels, blockStrides]] of BLOCKS.entries()) {
      const name = `block${index + 1}`;
      x = layers.depthwise(x, `${name}_depthwise`, { kernel: 3, strides: blockStrides, bias: false });
      x = normalize(layers, x, `${name}_depthwise`);
      x = layers.conv(x, `${name}_pointwise`, { filters: scaled(channels, width), kernel: 1, bias: false });
      x = normalize(layers, x, `${name}_pointwise`);
    }
    x = layers.globalAveragePool(x, "pool");
    return tf.model({ name: "mobilenet", inputs: input, outputs: layers.dense(x, "classes", classes, "softmax") });
  },
  batch: imageBatch,
};

function normalize(layers: Layers, x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.activation(layers.batchNorm(x, `${name}_norm`), `${name}_relu`, "relu6");
}
