/**
 * AlexNet in its one-tower form (Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
 * arXiv:1404.5997), the one that the vDNN paper and PyTorch use: no local response normalization.
 */
import { imageBatch } from "./data.ts";
import { createLayers, scaled } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

export const alexnet: Network = {
  name: "alexnet",
  description: "AlexNet, one tower; width scales all channels",
  defaults: IMAGE_DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(alexnet, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const relu = "relu" as const;
    const pool = { size: 3, strides: 2 };

    const input = layers.input([imageSize, imageSize, 3]);
    let x = layers.conv(input, "conv1", { filters: scaled(64, width), kernel: 11, strides: 4, activation: relu });
    x = layers.maxPool(x, "pool1", pool);
    x = layers.conv(x, "conv2", { filters: scaled(192, width), kernel: 5, activation: relu });
    x = layers.maxPool(x, "pool2", pool);
    x = layers.conv(x, "conv3", { filters: scaled(384, width), kernel: 3, activation: relu });
    x = layers.conv(x, "conv4", { filters: scaled(256, width), kernel: 3, activation: relu });
    x = layers.conv(x, "conv5", { filters: scaled(256, width), kernel: 3, activation: relu });
    x = layers.maxPool(x, "pool5", pool);
    x = layers.flatten(x, "flatten");
    for (const name of ["fc6", "fc7"]) {
      x = layers.dropout(x, `${name}_dropout`, 0.5);
      x = layers.dense(x, name, scaled(4096, width), relu);
    }
    return tf.model({ name: "alexnet", inputs: input, outputs: layers.dense(x, "fc8", classes, "softmax") });
  },
  batch: imageBatch,
};
