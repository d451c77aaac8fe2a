/** Everything leaves a WebGPU device after each kernel: whatever a stretch that cannot wait asks for is there. Skipped without an adapter. */
import type * as tfjs from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { within } from "../support/perceptron-steps.ts";

let tf: typeof tfjs;

/** Dense layers on few values: inputs, weights and activations all move, and kernels that run again read all of them. */
async function fitDense(optimizer: tfjs.Optimizer, units: readonly number[]): Promise<string> {
  const model = tf.sequential();
  for (const [i, width] of units.entries()) {
    const kernelInitializer = tf.initializers.randomUniform({ seed: i + 1, minval: -0.3, maxval: 0.3 });
    const activation = i % 2 === 0 ? "tanh" : "relu";
    model.add(
      tf.layers.dense({ units: width, activation, kernelInitializer, ...(i === 0 ? { inputShape: [100] } : {}) }),
    );
  }
  model.compile({ optimizer, loss: "meanSquaredError" });
  const [xs, ys] = [tf.randomUniform([96, 100], -1, 1, "float32", 1), tf.zeros([96, units.at(-1) ?? 1])];
  await model.fit(xs, ys, { epochs: 2, batchSize: 32, shuffle: false, validationSplit: 0.1 });
  const values = await Promise.all(model.getWeights().map((weight) => weight.data()));
  model.dispose();
  optimizer.dispose();
  tf.dispose([xs, ys]);
  return values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
}

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
  },
  () => {
    const networks = [
      [32, 16],
      [128, 64, 16],
      [64, 32, 64, 100],
    ];
    test.each(networks.flatMap((units) => ["vdnn-all", "auto"].map((policy) => ({ units, policy }))))(
      "dense layers of $units units have the bits of stock under $policy",
      async ({ units, policy }) => {
        const expected = await fitDense(tf.train.momentum(0.01, 0.9), units);
        await within(tf, { policy, adversarial: true }, async (session) => {
          expect(await fitDense(tf.train.momentum(0.01, 0.9), units)).toBe(expected);
          expect(session.report().iterations.some(({ offloadBytes }) => offloadBytes > 0)).toBe(true);
        });
      },
    );
  },
);
