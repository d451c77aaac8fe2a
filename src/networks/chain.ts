/**
 * The benchmark chain: equal convolutions one after the other, each with bias and relu. One feature map size everywhere and
 * little arithmetic per byte, which makes it the worst case for offloading and the easiest to reason about.
 */
import { imageBatch } from "./data.ts";
import { createLayers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, type Network } from "./network.ts";

export const chain: Network = {
  name: "chain",
  description:
    "depth convolutions 3x3 of width channels, each with bias and relu, then average pooling and one dense layer",
  defaults: { ...IMAGE_DEFAULTS, depth: 100, width: 32, imageSize: 32, classes: 10 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(chain, options);
    const layers = createLayers(tf, settings);
    const input = layers.input([settings.imageSize, settings.imageSize, 3]);
    let x = input;
    for (let i = 1; i <= settings.depth; i++) {
      x = layers.conv(x, `conv${i}`, { filters: Math.round(settings.width), kernel: 3, activation: "relu" });
    }
    x = layers.globalAveragePool(x, "pool");
    const outputs = layers.dense(x, "classes", settings.classes, "softmax");
    return tf.model({ name: "chain", inputs: input, outputs });
  },
  batch: imageBatch,
};
