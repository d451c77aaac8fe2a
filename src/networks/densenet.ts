/**
 * DenseNet-BC (Huang et al., "Densely connected convolutional networks", arXiv:1608.06993). Depths 121, 169 and 201 are its
 * table 1, with growth rate 32; other depths 6n + 4 are its CIFAR networks of three blocks, with growth rate 12. Every layer
 * reads all feature maps before it, so without recomputation memory grows with the square of a block's depth.
 */
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { imageBatch } from "./data.ts";
import { createLayers, scaled, type Layers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, unknownDepth, type Network } from "./network.ts";

const LARGE_BLOCKS: Readonly<Record<number, readonly number[]>> = {
  121: [6, 12, 24, 16],
  169: [6, 12, 32, 32],
  201: [6, 12, 48, 32],
};
/** Channels of the 1x1 convolution before each 3x3, in growth rates; and the share that a transition keeps. */
const BOTTLENECK = 4;
const COMPRESSION = 0.5;

export const densenet: Network = {
  name: "densenet",
  description: "DenseNet-BC-121, -169, -201 or 6n+4 (CIFAR) by depth; width scales the growth rate",
  defaults: { ...IMAGE_DEFAULTS, depth: 121 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(densenet, options);
    const { depth, width, imageSize, classes } = settings;
    const large = LARGE_BLOCKS[depth];
    if (large === undefined && (depth < 10 || depth % 6 !== 4)) {
      throw unknownDepth("densenet", depth, "121, 169, 201 or 6n+4 such as 40 or 100");
    }
    const blocks = large ?? [1, 1, 1].map(() => (depth - 4) / 6);
    const growth = scaled(large === undefined ? 12 : 32, width);

    const layers = createLayers(tf, settings);
    const input = layers.input([imageSize, imageSize, 3]);
    let x: SymbolicTensor;
    if (large !== undefined && imageSize >= 64) {
      x = layers.conv(input, "conv1", { filters: 2 * growth, kernel: 7, strides: 2, bias: false });
      x = normalize(layers, x, "conv1");
      x = layers.maxPool(x, "pool1", { size: 3, strides: 2, padding: "same" });
    } else {
      x = layers.conv(input, "conv1", { filters: 2 * growth, kernel: 3, bias: false });
    }
    for (const [index, count] of blocks.entries()) {
      const block = `dense${index + 2}`;
      for (let i = 1; i <= count; i++) x = denseLayer(layers, x, `${block}_${i}`, growth);
      if (index < blocks.length - 1) x = transition(layers, x, `trans${index + 2}`);
    }
    x = layers.globalAveragePool(normalize(layers, x, "final"), "pool");
    const outputs = layers.dense(x, "classes", classes, "softmax");
    return tf.model({ name: `densenet${depth}`, inputs: input, outputs });
  },
  batch: imageBatch,
};

function normalize(layers: Layers, x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.activation(layers.batchNorm(x, `${name}_norm`), `${name}_relu`, "relu");
}

function denseLayer(layers: Layers, x: SymbolicTensor, name: string, growth: number): SymbolicTensor {
  let y = normalize(layers, x, `${name}_1`);
  y = layers.conv(y, `${name}_conv1`, { filters: BOTTLENECK * growth, kernel: 1, bias: false });
  y = normalize(layers, y, `${name}_2`);
  y = layers.conv(y, `${name}_conv2`, { filters: growth, kernel: 3, bias: false });
  return layers.concat([x, y], `${name}_concat`);
}

function transition(layers: Layers, x: SymbolicTensor, name: string): SymbolicTensor {
  const filters = Math.floor((x.shape[3] ?? 0) * COMPRESSION);
  const y = layers.conv(normalize(layers, x, name), `${name}_conv`, { filters, kernel: 1, bias: false });
  return layers.averagePool(y, `${name}_pool`, { size: 2, strides: 2 });
}
