/** Every optimizer of TensorFlow.js on the same small network, and learning rates and optimizers that change on the way. */
import type { LayersModel, Optimizer } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { oneHot, uniform } from "./samples.ts";
import { customCase, modelCase, readScalar } from "./training.ts";

function network(tf: TensorFlow): LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu", inputShape: [6, 6, 2] }),
      tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
}

const optimizerCase = (name: string, optimizer: (tf: TensorFlow) => Optimizer): ConformanceCase =>
  modelCase({
    name: `updates weights by ${name}`,
    cost: "tiny",
    build: network,
    optimizer,
    compile: { loss: "categoricalCrossentropy" },
    data: (tf, step) => ({ xs: uniform(tf, `x${step}`, [4, 6, 6, 2]), ys: oneHot(tf, `y${step}`, 4, 3) }),
  });

export const optimizerCases: readonly ConformanceCase[] = [
  optimizerCase("plain gradient descent", (tf) => tf.train.sgd(0.1)),
  optimizerCase("momentum", (tf) => tf.train.momentum(0.05, 0.9)),
  optimizerCase("Nesterov momentum", (tf) => tf.train.momentum(0.05, 0.9, true)),
  optimizerCase("Adam", (tf) => tf.train.adam(0.01)),
  optimizerCase("Adamax", (tf) => tf.train.adamax(0.01, 0.9, 0.999, 1e-7, 0.01)),
  optimizerCase("RMSProp", (tf) => tf.train.rmsprop(0.01)),
  optimizerCase("Adagrad", (tf) => tf.train.adagrad(0.05)),
  optimizerCase("Adadelta", (tf) => tf.train.adadelta(0.5)),
  customCase({
    name: "updates weights by centered RMSProp with momentum",
    cost: "tiny",
    variables: { w: [4, 3], b: [3] },
    // Stock subtracts epsilon under the root: with the default, or with a gradient of 0, the weights become NaN.
    optimizer: (tf) => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-12, true),
    loss: (tf, { w, b }, step) => uniform(tf, `x${step}`, [5, 4]).matMul(w).add(b).tanh().sub(2).square().mean(),
  }),
  customCase({
    name: "changes the learning rate between steps",
    cost: "tiny",
    variables: { w: [4, 3] },
    run: async ({ tf, variables, optimizer, steps }) => {
      const losses: number[] = [];
      const decaying = optimizer as ReturnType<TensorFlow["train"]["sgd"]>;
      for (let step = 0; step < steps; step++) {
        decaying.setLearningRate(0.1 / (step + 1));
        const x = uniform(tf, `x${step}`, [5, 4]);
        losses.push(await readScalar(optimizer.minimize(() => x.matMul(variables.w).square().mean(), true)));
        x.dispose();
      }
      return losses;
    },
  }),
  customCase({
    name: "restores the state of Adam into a fresh optimizer half way",
    cost: "tiny",
    variables: { w: [4, 3], b: [3] },
    optimizer: (tf) => tf.train.adam(0.05),
    run: async ({ tf, variables, optimizer, steps, report }) => {
      const losses: number[] = [];
      const fresh = tf.train.adam(0.05);
      for (let step = 0; step < steps; step++) {
        const x = uniform(tf, `x${step}`, [5, 4]);
        const loss = () => x.matMul(variables.w).add(variables.b).square().mean().asScalar();
        if (step === 2) {
          const state = await optimizer.getWeights();
          await fresh.setWeights(state);
          state[0]?.tensor.dispose();
        }
        losses.push(await readScalar((step < 2 ? optimizer : fresh).minimize(loss, true)));
        x.dispose();
      }
      for (const [i, { tensor }] of (steps > 2 ? await fresh.getWeights() : []).entries()) {
        report(`fresh${i}`, tensor.clone());
        if (i === 0) tensor.dispose();
      }
      fresh.dispose();
      return losses;
    },
  }),
];
