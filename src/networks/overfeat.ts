/**
 * OverFeat, the fast model (Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional
 * networks", arXiv:1312.6229, table 1), in the form that the vDNN paper takes from convnet-benchmarks.
 */
import { imageBatch } from "./data.ts";
import { createLayers, scaled } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

export const overfeat: Network = {
  name: "overfeat",
  description: "OverFeat, fast model; width scales all channels",
  defaults: { ...IMAGE_DEFAULTS, imageSize: 231 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(overfeat, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const relu = "relu" as const;
    const pool = { size: 2, strides: 2 };
    // The paper's first two convolutions are unpadded, which small images cannot afford.
    const padding = imageSize >= 128 ? "valid" : "same";

    const input = layers.input([imageSize, imageSize, 3]);
    let x = layers.conv(input, "conv1", {
      filters: scaled(96, width),
      kernel: 11,
      strides: 4,
      padding,
      activation: relu,
    });
    x = layers.maxPool(x, "pool1", pool);
    x = layers.conv(x, "conv2", { filters: scaled(256, width), kernel: 5, padding, activation: relu });
    x = layers.maxPool(x, "pool2", pool);
    x = layers.conv(x, "conv3", { filters: scaled(512, width), kernel: 3, activation: relu });
    x = layers.conv(x, "conv4", { filters: scaled(1024, width), kernel: 3, activation: relu });
    x = layers.conv(x, "conv5", { filters: scaled(1024, width), kernel: 3, activation: relu });
    x = layers.maxPool(x, "pool5", pool);
    x = layers.flatten(x, "flatten");
    x = layers.dense(x, "fc6", scaled(3072, width), relu);
    x = layers.dropout(x, "fc6_dropout", 0.5);
    x = layers.dense(x, "fc7", scaled(4096, width), relu);
    x = layers.dropout(x, "fc7_dropout", 0.5);
    return tf.model({ name: "overfeat", inputs: input, outputs: layers.dense(x, "fc8", classes, "softmax") });
  },
  batch: imageBatch,
};
