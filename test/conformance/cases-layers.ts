/** Convolution, pooling and normalization: one small tf.layers model per kind of layer, trained with `trainOnBatch`. */
import type { layers } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { oneHot, uniform } from "./samples.ts";
import { modelCase, type ModelSpec } from "./training.ts";

interface LayersSpec extends Partial<Omit<ModelSpec, "name" | "build">> {
  /** Shape of one sample. Default: 8x8 images of 3 channels. */
  readonly shape?: readonly number[];
}

const CLASSES = 3;
export const BATCH = 4;

/** Trains `layers(tf)` between an input and a flattening dense layer, as a classifier. */
export function layersCase(
  name: string,
  makeLayers: (tf: TensorFlow) => layers.Layer[],
  spec: LayersSpec = {},
): ConformanceCase {
  const { shape = [8, 8, 3], ...rest } = spec;
  return modelCase({
    cost: "tiny",
    compile: { loss: "categoricalCrossentropy" },
    data: (tf, step) => ({
      xs: uniform(tf, `xs${step}`, [BATCH, ...shape]),
      ys: oneHot(tf, `ys${step}`, BATCH, CLASSES),
    }),
    ...rest,
    name,
    build: (tf) => {
      const input = tf.input({ shape: [...shape] });
      let x = input;
      for (const layer of makeLayers(tf)) x = layer.apply(x) as typeof input;
      if (x.shape.length > 2) x = tf.layers.flatten().apply(x) as typeof input;
      const outputs = tf.layers.dense({ units: CLASSES, activation: "softmax" }).apply(x) as typeof input;
      return tf.model({ inputs: input, outputs });
    },
  });
}

export const conv = { filters: 4, kernelSize: 3 } as const;

const convolutionCases: readonly ConformanceCase[] = [
  layersCase("trains a convolution with strides and same padding", (tf) => [
    tf.layers.conv2d({ ...conv, strides: 2, padding: "same", activation: "relu" }),
    tf.layers.conv2d({ ...conv, activation: "tanh", useBias: false }),
  ]),
  // Stock has no gradient of a dilated convolution; cases-custom.ts trains one by spaceToBatchND.
  layersCase("trains behind a frozen dilated convolution", (tf) => [
    tf.layers.conv2d({ ...conv, dilationRate: 2, padding: "same", activation: "relu", trainable: false }),
    tf.layers.conv2d({ ...conv, activation: "relu" }),
  ]),
  layersCase("trains a depthwise convolution", (tf) => [
    tf.layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: "relu" }),
    tf.layers.depthwiseConv2d({ kernelSize: 3, strides: 2, padding: "same" }),
  ]),
  layersCase("trains a separable convolution", (tf) => [
    tf.layers.separableConv2d({ ...conv, depthMultiplier: 2, activation: "relu" }),
  ]),
  layersCase("trains a transposed convolution", (tf) => [
    tf.layers.conv2d({ ...conv, strides: 2, padding: "same" }),
    tf.layers.conv2dTranspose({ ...conv, strides: 2, padding: "same", activation: "relu" }),
  ]),
  layersCase(
    "trains a convolution of one dimension",
    (tf) => [
      tf.layers.conv1d({ ...conv, activation: "relu" }),
      tf.layers.maxPooling1d({ poolSize: 2 }),
      tf.layers.conv1d({ ...conv, padding: "same", strides: 2 }),
    ],
    { shape: [12, 3] },
  ),
  layersCase(
    "trains a convolution of three dimensions",
    (tf) => [
      tf.layers.conv3d({ ...conv, kernelSize: 2, activation: "relu" }),
      tf.layers.maxPooling3d({ poolSize: 2, strides: 2 }),
    ],
    { shape: [5, 5, 5, 2] },
  ),
];

const poolingCases: readonly ConformanceCase[] = [
  layersCase("trains through max pooling, also where windows overlap", (tf) => [
    tf.layers.conv2d({ ...conv, padding: "same" }),
    tf.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
    tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }),
  ]),
  layersCase("trains through average pooling", (tf) => [
    tf.layers.conv2d({ ...conv, padding: "same" }),
    tf.layers.averagePooling2d({ poolSize: 3, strides: 2, padding: "same" }),
    tf.layers.averagePooling2d({ poolSize: 2, strides: 2 }),
  ]),
  layersCase("trains through global max pooling", (tf) => [
    tf.layers.conv2d({ ...conv, activation: "relu" }),
    tf.layers.globalMaxPooling2d({}),
  ]),
  layersCase("trains through global average pooling", (tf) => [
    tf.layers.conv2d({ ...conv, activation: "relu" }),
    tf.layers.globalAveragePooling2d({}),
  ]),
  layersCase("trains through upsampling, padding and cropping", (tf) => [
    tf.layers.conv2d({ ...conv, padding: "same" }),
    tf.layers.upSampling2d({ size: [2, 2] }),
    tf.layers.zeroPadding2d({ padding: 1 }),
    tf.layers.cropping2D({
      cropping: [
        [2, 1],
        [1, 2],
      ],
    }),
  ]),
];

const normalizationCases: readonly ConformanceCase[] = [
  layersCase("trains batch normalization and its moving statistics", (tf) => [
    tf.layers.conv2d({ ...conv, useBias: false }),
    tf.layers.batchNormalization({ momentum: 0.9 }),
    tf.layers.activation({ activation: "relu" }),
    tf.layers.conv2d({ ...conv }),
    tf.layers.batchNormalization({ epsilon: 0.01 }),
  ]),
  layersCase(
    "trains layer normalization",
    (tf) => [
      tf.layers.dense({ units: 6, activation: "relu" }),
      tf.layers.layerNormalization({}),
      tf.layers.dense({ units: 6 }),
      tf.layers.layerNormalization({ axis: [-2, -1] }),
    ],
    { shape: [5, 4] },
  ),
];

export const layerCases: readonly ConformanceCase[] = [...convolutionCases, ...poolingCases, ...normalizationCases];
