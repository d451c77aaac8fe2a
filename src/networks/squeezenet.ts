/**
 * SqueezeNet 1.0 (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model size",
 * arXiv:1602.07360, table 1). A fire module squeezes channels by a 1x1 convolution and expands them by 1x1 and 3x3 ones.
 */
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { imageBatch } from "./data.ts";
import { createLayers, scaled, type Layers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

/** Squeezed channels of the fire modules, in groups that a pooling layer ends; each expands to eight times as many. */
const FIRE_GROUPS = [[16, 16, 32], [32, 48, 48, 64], [64]] as const;
const EXPANSION = 4;

export const squeezenet: Network = {
  name: "squeezenet",
  description: "SqueezeNet 1.0; width scales all channels",
  defaults: IMAGE_DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(squeezenet, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const pool = { size: 3, strides: 2, padding: imageSize < 64 ? "same" : "valid" } as const;

    const input = layers.input([imageSize, imageSize, 3]);
    let x =
      imageSize < 64
        ? layers.conv(input, "conv1", { filters: scaled(96, width), kernel: 3, activation: "relu" })
        : layers.conv(input, "conv1", {
            filters: scaled(96, width),
            kernel: 7,
            strides: 2,
            padding: "valid",
            activation: "relu",
          });
    x = layers.maxPool(x, "pool1", pool);
    let module = 2;
    for (const group of FIRE_GROUPS) {
      for (const squeeze of group) x = fire(layers, x, `fire${module++}`, scaled(squeeze, width));
      if (module < 10) x = layers.maxPool(x, `pool${module - 1}`, pool);
    }
    x = layers.dropout(x, "dropout", 0.5);
    x = layers.conv(x, "conv10", { filters: classes, kernel: 1, activation: "relu" });
    x = layers.globalAveragePool(x, "pool10");
    return tf.model({ name: "squeezenet", inputs: input, outputs: layers.activation(x, "classes", "softmax") });
  },
  batch: imageBatch,
};

function fire(layers: Layers, x: SymbolicTensor, name: string, squeeze: number): SymbolicTensor {
  const filters = squeeze * EXPANSION;
  const squeezed = layers.conv(x, `${name}_squeeze`, { filters: squeeze, kernel: 1, activation: "relu" });
  const ones = layers.conv(squeezed, `${name}_expand1`, { filters, kernel: 1, activation: "relu" });
  const threes = layers.conv(squeezed, `${name}_expand3`, { filters, kernel: 3, activation: "relu" });
  return layers.concat([ones, threes], `${name}_concat`);
}
