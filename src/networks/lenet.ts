/**
 * The two networks that pruning and Deep Compression begin with (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to
 * document recognition", 1998), with the sizes and layer names of Caffe's examples, as in Han, Pool, Tran and Dally (NIPS 2015, table 3):
 * LeNet-300-100 of 266,200 weights, and LeNet-5 of 430,500. Their images have one channel.
 */
import { imageBatch } from "./data.ts";
import { createLayers, scaled } from "./layers.ts";
import { IMAGE_DEFAULTS, type Network, type NetworkSettings, resolveOptions } from "./network.ts";

const DEFAULTS: NetworkSettings = { ...IMAGE_DEFAULTS, imageSize: 28, classes: 10 };

/** Below this the second pooling layer would have nothing to pool if convolutions were not padded. */
const SMALLEST_UNPADDED = 16;

export const lenet300: Network = {
  name: "lenet300",
  description: "LeNet-300-100, three dense layers, for grey images; width scales both hidden layers",
  defaults: DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(lenet300, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const input = layers.input([imageSize, imageSize, 1]);
    let x = layers.flatten(input, "flatten");
    x = layers.dense(x, "ip1", scaled(300, width), "relu");
    x = layers.dense(x, "ip2", scaled(100, width), "relu");
    return tf.model({ name: "lenet300", inputs: input, outputs: layers.dense(x, "ip3", classes, "softmax") });
  },
  batch: imageBatch,
};

export const lenet5: Network = {
  name: "lenet5",
  description: "LeNet-5 as in Caffe, two convolutions and two dense layers, for grey images; width scales all channels",
  defaults: DEFAULTS,
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(lenet5, options);
    const { width, imageSize, classes } = settings;
    const layers = createLayers(tf, settings);
    const padding = imageSize < SMALLEST_UNPADDED ? "same" : "valid";
    const pool = { size: 2, strides: 2 };

    const input = layers.input([imageSize, imageSize, 1]);
    let x = layers.conv(input, "conv1", { filters: scaled(20, width), kernel: 5, padding });
    x = layers.maxPool(x, "pool1", pool);
    x = layers.conv(x, "conv2", { filters: scaled(50, width), kernel: 5, padding });
    x = layers.maxPool(x, "pool2", pool);
    x = layers.flatten(x, "flatten");
    x = layers.dense(x, "ip1", scaled(500, width), "relu");
    return tf.model({ name: "lenet5", inputs: input, outputs: layers.dense(x, "ip2", classes, "softmax") });
  },
  batch: imageBatch,
};
