/** The gradients of single ops, a group of ops per case, minimized over one variable. */
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { integers, uniform } from "./samples.ts";
import { customCase } from "./training.ts";

/** Ops on one variable `[4, 6]` whose result is summed into the loss; grouped by what their gradients read. */
const OPS: Readonly<Record<string, (tf: TensorFlow, x: Tensor2D, step: number) => Tensor[]>> = {
  "concat, split, stack and unstack": (tf, x) => {
    const [left, right] = tf.split(x, 2, 1);
    if (left === undefined || right === undefined) return [];
    const stacked = tf.stack([left, right.square(), left.mul(right)]);
    return [tf.concat([right, left, x.square()], 1).square(), ...tf.unstack(stacked, 1).map((part) => part.square())];
  },
  "gather and unsortedSegmentSum": (tf, x, step) => {
    const rows = integers(tf, `rows${step}`, [7], 4) as Tensor1D;
    const gathered = tf.gather(x, rows);
    return [gathered.square(), tf.unsortedSegmentSum(gathered, rows, 4).square()];
  },
  "where, maximum, minimum and clip": (tf, x, step) => {
    const other = uniform(tf, `other${step}`, [4, 6]);
    const chosen = tf.where(other.greater(0), x.square(), other.mul(x));
    return [chosen, tf.maximum(x, other).square(), tf.minimum(x, 0.1).square(), x.clipByValue(-0.3, 0.3).square()];
  },
  "pad, mirrorPad, slice, reverse, tile and broadcast": (tf, x) => [
    tf
      .pad(x, [
        [1, 2],
        [0, 1],
      ])
      .square()
      .mul(0.5),
    tf
      .mirrorPad(
        x,
        [
          [1, 1],
          [1, 0],
        ],
        "reflect",
      )
      .square(),
    x.slice([1, 2], [2, 3]).square(),
    x.reverse(1).mul(x),
    tf.tile(x, [2, 1]).square(),
    tf.broadcastTo(x.slice([0, 0], [1, 6]), [3, 6]).square(),
  ],
  "cumsum, logSumExp, softmax and logSoftmax": (_tf, x) => [
    x.cumsum(1).square(),
    // Along the last axis only: elsewhere stock's own gradient has a wrong shape.
    x.cumsum(1, true, true).square(),
    x.logSumExp(1),
    x.softmax().square(),
    x.logSoftmax().square(),
  ],
  "exp, log, sqrt, rsqrt, pow and division": (_tf, x) => [
    x.exp().log1p(),
    x.square().add(1).sqrt(),
    x.square().add(0.5).rsqrt(),
    x.abs().add(1).pow(1.5),
    x.div(x.square().add(2)),
    x.add(3).reciprocal(),
    x.expm1().square(),
  ],
  "sin, cos, tan, atan, sinh, asinh and erf": (_tf, x) => [
    x.sin(),
    x.cos(),
    x.tan(),
    x.atan(),
    x.sinh(),
    x.asinh(),
    x.erf(),
  ],
  "relu, relu6, elu, selu, leakyRelu, prelu, softplus and logSigmoid": (tf, x) => [
    x.relu().square(),
    x.mul(20).relu6(),
    x.elu().square(),
    x.selu().square(),
    x.leakyRelu(0.3).square(),
    x.prelu(tf.tensor1d([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])).square(),
    x.softplus(),
    x.logSigmoid(),
    x.sigmoid().square(),
    x.tanh().square(),
  ],
  "max, min, mean, prod, norm and moments": (tf, x) => [
    x.max(1).square(),
    x.min(0).square(),
    x.mean(0).square(),
    x.norm("euclidean", 1),
    x.add(1).prod(1),
    tf.moments(x, 1).variance,
  ],
  "transpose, reshape, expandDims, squeeze and matMul": (tf, x) => [
    x.transpose().matMul(x).square(),
    tf.matMul(x, x, false, true).square(),
    x.reshape([2, 12]).square(),
    x.expandDims(1).squeeze([1]).mul(x),
    tf.outerProduct(x.mean(0).as1D(), x.mean(1).as1D()).square(),
    tf.dot(x, x.transpose<Tensor2D>()),
  ],
  "images: resizing, normalizing local responses, space and batch": (tf, x) => {
    // Square, as the gradient of resizeBilinear on `cpu` swaps height and width.
    const image = x.slice([0, 1], [4, 4]).reshape<Tensor4D>([1, 4, 4, 1]);
    return [
      tf.image.resizeBilinear(image, [7, 7]).square(),
      tf.image.resizeNearestNeighbor(image, [8, 8]).square(),
      tf.localResponseNormalization(tf.concat([image, image.square(), image.neg()], 3)).square(),
      tf
        .spaceToBatchND(
          image,
          [2, 2],
          [
            [0, 0],
            [0, 0],
          ],
        )
        .square(),
    ];
  },
};

export const opCases: readonly ConformanceCase[] = Object.entries(OPS).map(([names, ops]) =>
  customCase({
    name: `minimizes ${names}`,
    cost: "tiny",
    variables: { x: [4, 6] },
    loss: (tf, { x }, step) => tf.addN(ops(tf, x as Tensor2D, step).map((term) => term.mean())),
  }),
);
