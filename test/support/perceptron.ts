/** A small network of dense layers in a training loop of its own. Its activations are large enough to move on any backend. */
import type { Optimizer, Scalar, Tensor, Tensor2D, Variable } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";

const WIDTH = 64;
const ROWS = 128;

export interface Perceptron {
  readonly weights: Variable[];
  readonly x: Tensor2D;
  readonly lossOf: (x: Tensor) => Scalar;
  readonly loss: () => Scalar;
  readonly optimizer: Optimizer;
  /** The weights to the bit. */
  readonly bits: () => Promise<string>;
  dispose(): void;
}

/** The same weights and inputs each time. @param optimizer default SGD @param layers default 4 */
export function perceptron(tf: TensorFlow, optimizer: Optimizer = tf.train.sgd(0.05), layers: number = 4): Perceptron {
  const wave = (size: number, scale: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1) * scale);
  const weights = Array.from({ length: layers }, () =>
    tf.tidy(() => tf.variable(tf.tensor2d(wave(WIDTH * WIDTH, 0.2), [WIDTH, WIDTH]))),
  );
  const x = tf.tensor2d(wave(ROWS * WIDTH, 1), [ROWS, WIDTH]);
  const lossOf = (input: Tensor): Scalar => {
    let y = input;
    for (const weight of weights) y = tf.tanh(tf.matMul(y, weight as never));
    return tf.mean(tf.square(y));
  };
  return {
    weights,
    optimizer,
    x,
    lossOf,
    loss: () => lossOf(x),
    bits: async () => {
      const values = await Promise.all(weights.map((weight) => weight.data()));
      return values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
    },
    dispose: () => {
      tf.dispose([...weights, x]);
      optimizer.dispose();
    },
  };
}
