/** What layers do besides arithmetic on feature maps: noise, activations, penalties on weights, layers of the user's own. */
import type { layers, Tensor } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { BATCH, conv, layersCase } from "./cases-layers.ts";

const noiseCases: readonly ConformanceCase[] = [
  layersCase("trains dropout with a seed", (tf) => [
    tf.layers.conv2d({ ...conv, activation: "relu" }),
    tf.layers.dropout({ rate: 0.4, seed: 11 }),
    tf.layers.dropout({ rate: 0.2, seed: 12, noiseShape: [BATCH, 1, 1, 4] }),
  ]),
  layersCase(
    "trains dropout without a seed",
    (tf) => [
      tf.layers.conv2d({ ...conv, activation: "relu" }),
      tf.layers.dropout({ rate: 0.4 }),
      tf.layers.conv2d({ ...conv, activation: "relu" }),
      tf.layers.dropout({ rate: 0.2 }),
    ],
    { unseeded: true },
  ),
  layersCase(
    "trains gaussian noise, gaussian dropout and alpha dropout without seeds",
    (tf) => [
      tf.layers.gaussianNoise({ stddev: 0.1 }),
      tf.layers.conv2d({ ...conv, activation: "selu" }),
      tf.layers.gaussianDropout({ rate: 0.2 }),
      tf.layers.alphaDropout({ rate: 0.2 }),
    ],
    { unseeded: true },
  ),
];

const activationCases: readonly ConformanceCase[] = [
  ...(
    ["elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "hardSigmoid", "swish", "mish", "gelu", "relu6"] as const
  ).map((activation) =>
    layersCase(
      `trains the activation ${activation}`,
      (tf) => [
        tf.layers.dense({ units: 6, activation }),
        tf.layers.dense({ units: 6 }),
        tf.layers.activation({ activation }),
      ],
      { shape: [5] },
    ),
  ),
  layersCase(
    "trains prelu, leakyReLU and elu layers",
    (tf) => [
      tf.layers.dense({ units: 6 }),
      tf.layers.prelu({ alphaInitializer: "randomUniform" }),
      tf.layers.dense({ units: 6 }),
      tf.layers.leakyReLU({ alpha: 0.2 }),
      tf.layers.dense({ units: 6 }),
      tf.layers.elu({ alpha: 1 }),
    ],
    { shape: [5] },
  ),
  layersCase(
    "trains reshape, permute and repeatVector layers",
    (tf) => [
      tf.layers.reshape({ targetShape: [6, 4] }),
      tf.layers.permute({ dims: [2, 1] }),
      tf.layers.dense({ units: 3, activation: "softmax" }),
      tf.layers.flatten(),
      tf.layers.repeatVector({ n: 3 }),
    ],
    { shape: [24] },
  ),
];

const weightCases: readonly ConformanceCase[] = [
  layersCase("trains with regularizers l1, l2 and both", (tf) => [
    tf.layers.conv2d({ ...conv, kernelRegularizer: tf.regularizers.l2({ l2: 0.01 }), activation: "relu" }),
    tf.layers.dense({
      units: 4,
      kernelRegularizer: tf.regularizers.l1({ l1: 0.01 }),
      biasRegularizer: tf.regularizers.l1l2({ l1: 0.01, l2: 0.02 }),
    }),
  ]),
  layersCase(
    "trains under constraints",
    (tf) => [
      tf.layers.dense({ units: 6, kernelConstraint: tf.constraints.maxNorm({ maxValue: 0.5, axis: 0 }) }),
      tf.layers.dense({ units: 6, kernelConstraint: tf.constraints.nonNeg() }),
      tf.layers.dense({ units: 6, kernelConstraint: tf.constraints.unitNorm({ axis: 0 }) }),
      tf.layers.dense({
        units: 6,
        kernelConstraint: tf.constraints.minMaxNorm({ minValue: 0.4, maxValue: 0.6, axis: 0 }),
      }),
    ],
    { shape: [5] },
  ),
  layersCase("trains around frozen layers", (tf) => [
    tf.layers.conv2d({ ...conv, activation: "relu" }),
    tf.layers.conv2d({ ...conv, activation: "relu", trainable: false }),
    tf.layers.batchNormalization({ trainable: false }),
    tf.layers.conv2d({ ...conv }),
  ]),
];

/** A layer of the user's own: a weighted sum of a feature map and its square, gated by a sigmoid. */
function gateLayer(tf: TensorFlow): layers.Layer {
  class Gate extends tf.layers.Layer {
    static readonly className = "Gate";
    private mix: ReturnType<layers.Layer["addWeight"]> | undefined;

    override build(inputShape: number[]): void {
      const channels = inputShape.at(-1) ?? 1;
      this.mix = this.addWeight("mix", [channels], "float32", tf.initializers.randomUniform({ minval: -1, maxval: 1 }));
      super.build(inputShape);
    }

    override call(inputs: Tensor | Tensor[]): Tensor {
      const [x] = [inputs].flat();
      if (x === undefined || this.mix === undefined) throw new Error("Gate: not built");
      const mix = this.mix.read();
      return tf.tidy(() => x.add(x.square().mul(mix)).mul(x.sigmoid()));
    }

    override computeOutputShape(inputShape: number[]): number[] {
      return inputShape;
    }
  }
  return new Gate({});
}

const customLayerCases: readonly ConformanceCase[] = [
  layersCase("trains a custom layer class", (tf) => [
    tf.layers.conv2d({ ...conv }),
    gateLayer(tf),
    tf.layers.conv2d({ ...conv }),
    gateLayer(tf),
  ]),
];

export const layerOptionCases: readonly ConformanceCase[] = [
  ...noiseCases,
  ...activationCases,
  ...weightCases,
  ...customLayerCases,
];
