/**
 * GoogLeNet (Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, table 1) without its auxiliary classifiers and
 * without local response normalization. Every module forks into four branches that join by concatenation.
 */
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { imageBatch } from "./data.ts";
import { createLayers, scaled, type Layers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

/** Channels of the branches: 1x1; 3x3 reduce and 3x3; 5x5 reduce and 5x5; pool projection. */
type Channels = readonly [number, number, number, number, number, number];

const GROUPS: readonly (readonly (readonly [string, Channels])[])[] = [
  [
    ["3a", [64, 96, 128, 16, 32, 32]],
    ["3b", [128, 128, 192, 32, 96, 64]],
  ],
  [
    ["4a", [192, 96, 208, 16, 48, 64]],
    ["4b", [160, 112, 224, 24, 64, 64]],
    ["4c", [128, 128, 256, 24, 64, 64]],
    ["4d", [112, 144, 288, 32, 64, 64]],
    ["4e", [256, 160, 320, 32, 128, 128]],
  ],
  [
    ["5a", [256, 160, 320, 32, 128, 128]],
    ["5b", [384, 192, 384, 48, 128, 128]],
  ],
];

export const googlenet: Network = {
  name: "googlenet",
  description: "GoogLeNet (Inception v1); width scales all channels",
  defaults: IMAGE_DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(googlenet, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const relu = "relu" as const;
    const pool = { size: 3, strides: 2, padding: "same" } as const;
    const small = imageSize < 64;

    const input = layers.input([imageSize, imageSize, 3]);
    let x = layers.conv(input, "conv1", {
      filters: scaled(64, width),
      kernel: 7,
      strides: small ? 1 : 2,
      activation: relu,
    });
    x = layers.maxPool(x, "pool1", pool);
    x = layers.conv(x, "conv2_reduce", { filters: scaled(64, width), kernel: 1, activation: relu });
    x = layers.conv(x, "conv2", { filters: scaled(192, width), kernel: 3, activation: relu });
    x = layers.maxPool(x, "pool2", pool);
    for (const [index, group] of GROUPS.entries()) {
      for (const [name, channels] of group) x = inception(layers, x, `inception_${name}`, channels, width);
      if (index < GROUPS.length - 1) x = layers.maxPool(x, `pool${index + 3}`, pool);
    }
    x = layers.globalAveragePool(x, "pool5");
    x = layers.dropout(x, "dropout", 0.4);
    return tf.model({ name: "googlenet", inputs: input, outputs: layers.dense(x, "classes", classes, "softmax") });
  },
  batch: imageBatch,
};

function inception(layers: Layers, x: SymbolicTensor, name: string, channels: Channels, width: number): SymbolicTensor {
  const [one, threeReduce, three, fiveReduce, five, projection] = channels;
  const conv = (from: SymbolicTensor, branch: string, filters: number, kernel: number): SymbolicTensor =>
    layers.conv(from, `${name}_${branch}`, { filters: scaled(filters, width), kernel, activation: "relu" });
  const pooled = layers.maxPool(x, `${name}_pool`, { size: 3, strides: 1, padding: "same" });
  return layers.concat(
    [
      conv(x, "1x1", one, 1),
      conv(conv(x, "3x3_reduce", threeReduce, 1), "3x3", three, 3),
      conv(conv(x, "5x5_reduce", fiveReduce, 1), "5x5", five, 5),
      conv(pooled, "pool_proj", projection, 1),
    ],
    `${name}_concat`,
  );
}
