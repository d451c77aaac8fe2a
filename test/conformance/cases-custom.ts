/** Training without tf.layers: losses written in plain ops and minimized over plain variables. */
import type { Tensor, Tensor4D } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { oneHot, uniform } from "./samples.ts";
import { customCase } from "./training.ts";

/** Scaled dot-product attention of `x` [tokens, channels] with itself. */
function attend(query: Tensor, key: Tensor, value: Tensor): Tensor {
  const scale = 1 / Math.sqrt(query.shape.at(-1) ?? 1);
  return query.matMul(key, false, true).mul(scale).softmax().matMul(value);
}

function normalize(x: Tensor, gain: Tensor, bias: Tensor): Tensor {
  const mean = x.mean(-1, true);
  const centered = x.sub(mean);
  return centered.mul(centered.square().mean(-1, true).add(1e-5).rsqrt()).mul(gain).add(bias);
}

const attentionCases: readonly ConformanceCase[] = [
  customCase({
    name: "minimizes attention built of matMul and softmax",
    cost: "tiny",
    variables: { q: [6, 6], k: [6, 6], v: [6, 6], gain: [6], bias: [6], up: [6, 12], down: [12, 6] },
    optimizer: (tf) => tf.train.adam(0.01),
    loss(tf, w, step) {
      const x = uniform(tf, `x${step}`, [3, 5, 6]);
      const project = (m: Tensor) => x.reshape([15, 6]).matMul(m).reshape([3, 5, 6]);
      const attended = normalize(x.add(attend(project(w.q), project(w.k), project(w.v))), w.gain, w.bias);
      const hidden = attended.reshape([15, 6]).matMul(w.up).relu();
      return hidden
        .matMul(w.down)
        .sub(x.reshape([15, 6]))
        .square()
        .mean();
    },
  }),
  customCase({
    name: "minimizes attention with dropout without a seed",
    cost: "tiny",
    unseeded: true,
    variables: { q: [6, 6], v: [6, 6] },
    loss(tf, w, step) {
      const x = uniform(tf, `x${step}`, [5, 6]);
      return tf
        .dropout(attend(x.matMul(w.q), x, x.matMul(w.v)), 0.3)
        .square()
        .mean();
    },
  }),
];

const fusedCases: readonly ConformanceCase[] = [
  customCase({
    name: "minimizes fused convolutions and matMul",
    cost: "tiny",
    variables: { kernel: [3, 3, 2, 4], bias: [4], depthwise: [3, 3, 4, 1], weight: [64, 3] },
    loss(tf, w, step) {
      const x = uniform(tf, `x${step}`, [2, 8, 8, 2]) as Tensor4D;
      const filter = w.kernel as unknown as Tensor4D;
      const depthwise = w.depthwise as unknown as Tensor4D;
      const first = tf.fused.conv2d({ x, filter, strides: 2, pad: "same", bias: w.bias, activation: "relu" });
      const second = tf.fused.depthwiseConv2d({
        x: first,
        filter: depthwise,
        strides: 1,
        pad: "same",
        activation: "elu",
      });
      const a = second.reshape([2, 64]);
      return tf.fused.matMul({ a, b: w.weight, activation: "linear" }).square().mean();
    },
  }),
];

const LOSSES: Readonly<Record<string, (tf: TensorFlow, logits: Tensor, step: number) => Tensor>> = {
  "softmax cross entropy with label smoothing": (tf, logits, step) =>
    tf.losses.softmaxCrossEntropy(oneHot(tf, `l${step}`, 5, 3), logits, undefined, 0.1),
  "sigmoid cross entropy": (tf, logits, step) => tf.losses.sigmoidCrossEntropy(oneHot(tf, `l${step}`, 5, 3), logits),
  "huber loss": (tf, logits, step) => tf.losses.huberLoss(uniform(tf, `l${step}`, [5, 3]), logits, undefined, 0.2),
  "absolute difference, log loss, hinge loss and cosine distance": (tf, logits, step) => {
    const labels = oneHot(tf, `l${step}`, 5, 3);
    const losses: Tensor[] = [
      tf.losses.absoluteDifference(labels, logits),
      tf.losses.logLoss(labels, logits.sigmoid()),
      tf.losses.hingeLoss(labels, logits),
      tf.losses.cosineDistance(labels, logits, 1),
    ];
    return tf.addN(losses);
  },
  "mean squared error with sample weights": (tf, logits, step) =>
    tf.losses.meanSquaredError(
      uniform(tf, `l${step}`, [5, 3]),
      logits,
      uniform(tf, `weights${step}`, [5, 1]).abs(),
      tf.Reduction.SUM_BY_NONZERO_WEIGHTS,
    ),
};

const lossCases = Object.entries(LOSSES).map(([name, loss]) =>
  customCase({
    name: `minimizes ${name}`,
    cost: "tiny",
    variables: { w: [4, 3] },
    loss: (tf, { w }, step) => loss(tf, uniform(tf, `x${step}`, [5, 4]).matMul(w), step),
  }),
);

const dilatedCases: readonly ConformanceCase[] = [
  customCase({
    name: "minimizes a dilated convolution by space to batch and back",
    cost: "tiny",
    variables: { kernel: [3, 3, 2, 3], next: [3, 3, 3, 2] },
    loss(tf, w, step) {
      const x = uniform(tf, `x${step}`, [2, 8, 8, 2]) as Tensor4D;
      const noCrops = [
        [0, 0],
        [0, 0],
      ];
      const blocks = tf.spaceToBatchND(x, [2, 2], noCrops);
      const dilated = tf.conv2d(blocks, w.kernel as unknown as Tensor4D, 1, "same").relu<Tensor4D>();
      const joined = tf.batchToSpaceND(dilated, [2, 2], noCrops);
      return tf
        .conv2d(joined, w.next as unknown as Tensor4D, 1, "valid")
        .square()
        .mean();
    },
  }),
];

export const customCases: readonly ConformanceCase[] = [
  ...attentionCases,
  ...fusedCases,
  ...dilatedCases,
  ...lossCases,
];
