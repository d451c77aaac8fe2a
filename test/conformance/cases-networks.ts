/** Whole networks of src/networks, narrow and on small images, trained step by step on generated batches. */
import { findNetwork, type NetworkOptions } from "../../src/networks/index.ts";
import type { ConformanceCase } from "./case.ts";
import { modelCase } from "./training.ts";

function networkCase(
  name: string,
  cost: ConformanceCase["cost"],
  network: string,
  batchSize: number,
  options: NetworkOptions,
): ConformanceCase {
  const { build, batch, loss } = findNetwork(network);
  return modelCase({
    name,
    cost,
    build: (tf) => build(tf, options),
    optimizer: (tf) => tf.train.sgd(0.01),
    compile: { loss },
    run: async ({ tf, model, steps }) => {
      const losses: number[] = [];
      for (let step = 0; step < steps; step++) {
        const { xs, ys } = batch(tf, model, batchSize, step);
        losses.push(...[await model.trainOnBatch(xs, ys)].flat());
        tf.dispose([xs, ys]);
      }
      return losses;
    },
  });
}

const tinyImages = { imageSize: 8, classes: 3 } as const;
const smallImages = { imageSize: 32, classes: 10 } as const;

export const networkCases: readonly ConformanceCase[] = [
  networkCase("trains a chain of convolutions", "tiny", "chain", 4, { ...tinyImages, depth: 12, width: 4 }),
  networkCase("trains a VGG-like network", "tiny", "vgg", 4, { ...tinyImages, width: 1 / 32 }),
  networkCase("trains a residual network of basic blocks", "tiny", "resnet", 2, {
    ...tinyImages,
    depth: 8,
    width: 0.25,
  }),
  networkCase("trains a densely connected network", "tiny", "densenet", 2, { ...tinyImages, depth: 10, width: 0.5 }),
  networkCase("trains a network of fire modules", "tiny", "squeezenet", 2, { ...tinyImages, width: 1 / 16 }),
  networkCase("trains a network of depthwise separable convolutions", "tiny", "mobilenet", 2, {
    ...tinyImages,
    width: 1 / 32,
  }),
  networkCase("trains a network of inception modules", "tiny", "googlenet", 2, { ...tinyImages, width: 1 / 16 }),
  networkCase("trains a stack of LSTM layers", "tiny", "lstm", 4, {
    depth: 2,
    width: 8,
    sequenceLength: 6,
    vocabulary: 50,
    classes: 3,
  }),
  networkCase("trains a transformer encoder", "tiny", "transformer", 2, {
    depth: 2,
    width: 16,
    sequenceLength: 8,
    vocabulary: 50,
    classes: 3,
  }),
  networkCase("trains a narrow ResNet-50", "small", "resnet", 4, { ...smallImages, depth: 50, width: 1 / 8 }),
  networkCase("trains a narrow VGG-16", "small", "vgg", 8, { ...smallImages, width: 1 / 8 }),
  networkCase("trains a narrow MobileNet", "small", "mobilenet", 4, { ...smallImages, width: 1 / 8 }),
  networkCase("trains a chain of 30 convolutions", "small", "chain", 8, { ...smallImages, depth: 30, width: 8 }),
  networkCase("trains VGG-16 on images of 64 pixels", "large", "vgg", 4, { imageSize: 64, classes: 10, width: 0.5 }),
  networkCase("trains ResNet-50 on images of 64 pixels", "large", "resnet", 4, {
    imageSize: 64,
    classes: 10,
    width: 0.5,
  }),
  networkCase("trains AlexNet on images of 64 pixels", "large", "alexnet", 4, {
    imageSize: 64,
    classes: 10,
    width: 0.25,
  }),
];
