/**
 * VGG-16 (Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556,
 * table 1, column D) and its very deep relatives of the vDNN paper (Rhu et al., "vDNN: virtualized deep neural networks",
 * MICRO 2016, section 4.3): 20 more convolutions in each of the five groups for every 100 layers of depth.
 */
import { imageBatch } from "./data.ts";
import { createLayers, scaled } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, unknownDepth, type Network } from "./network.ts";

const GROUPS = [
  { convolutions: 2, channels: 64 },
  { convolutions: 2, channels: 128 },
  { convolutions: 3, channels: 256 },
  { convolutions: 3, channels: 512 },
  { convolutions: 3, channels: 512 },
] as const;

/** 224-pixel images get the paper's head of 4096 units; small ones the 512 usual on CIFAR, or the head would be all weights. */
const hiddenUnits = (imageSize: number): number => (imageSize >= 128 ? 4096 : 512);

export const vgg: Network = {
  name: "vgg",
  description: "VGG-16, or vDNN's VGG-116, -216, -316, -416 by depth; width scales all channels",
  defaults: { ...IMAGE_DEFAULTS, depth: 16 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(vgg, options);
    const { depth, width, imageSize, classes } = settings;
    if (depth % 100 !== 16) throw unknownDepth("vgg", depth, "16, 116, 216, 316, 416 or another 16 + 100 n");
    const extra = 20 * Math.floor(depth / 100);

    const layers = createLayers(tf, settings);
    const input = layers.input([imageSize, imageSize, 3]);
    let x = input;
    for (const [index, group] of GROUPS.entries()) {
      const filters = scaled(group.channels, width);
      for (let i = 1; i <= group.convolutions + extra; i++) {
        x = layers.conv(x, `conv${index + 1}_${i}`, { filters, kernel: 3, activation: "relu" });
      }
      x = layers.maxPool(x, `pool${index + 1}`, { size: 2, strides: 2 });
    }
    x = layers.flatten(x, "flatten");
    for (const name of ["fc6", "fc7"]) {
      x = layers.dense(x, name, scaled(hiddenUnits(imageSize), width), "relu");
      x = layers.dropout(x, `${name}_dropout`, 0.5);
    }
    const outputs = layers.dense(x, "fc8", classes, "softmax");
    return tf.model({ name: `vgg${depth}`, inputs: input, outputs });
  },
  batch: imageBatch,
};
