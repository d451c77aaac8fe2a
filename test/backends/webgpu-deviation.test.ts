/**
 * Steps that are not what their plan expects, on WebGPU: what the plan has sent away is there when the program asks for it, or the step
 * begins again, and the bits are those of stock. Skipped, and says so, without an adapter.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { VdnnError } from "../../src/errors.ts";
import { mulberry32 } from "../../src/networks/data.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { type Perceptron, perceptron } from "../support/perceptron.ts";
import { within } from "../support/perceptron-steps.ts";

let tf: typeof tfjs;

/** With random numbers that are the same each time, as far as they are drawn the same number of times. */
async function withSeededRandom<T>(work: () => Promise<T>): Promise<T> {
  const { random } = Math;
  Math.random = mulberry32(11);
  try {
    return await work();
  } finally {
    Math.random = random;
  }
}

/** What a model does beyond computing its output; called in the middle of its forward pass. */
type Incident = (input: tfjs.Tensor) => tfjs.Tensor;

/** Convolutions with batch normalization and dropout without a seed: statistics and random draws that a second run might repeat. */
function convolutions(incident: Incident): tfjs.LayersModel {
  class Through extends tf.layers.Layer {
    static readonly className = "Through";
    override computeOutputShape(shape: tfjs.Shape): tfjs.Shape {
      return shape;
    }
    override call(inputs: tfjs.Tensor | tfjs.Tensor[]): tfjs.Tensor {
      return incident(Array.isArray(inputs) ? (inputs[0] as tfjs.Tensor) : inputs);
    }
  }
  const start = (seed: number) => tf.initializers.randomUniform({ seed, minval: -0.3, maxval: 0.3 });
  const convolution = (seed: number) =>
    ({ filters: 8, kernelSize: 3, padding: "same", activation: "relu", kernelInitializer: start(seed) }) as const;
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ ...convolution(1), inputShape: [8, 8, 4] }),
      tf.layers.batchNormalization(),
      tf.layers.conv2d(convolution(2)),
      tf.layers.dropout({ rate: 0.3 }),
      new Through({}),
      tf.layers.conv2d(convolution(3)),
      tf.layers.flatten(),
      tf.layers.dense({ units: 4, activation: "softmax", kernelInitializer: start(4) }),
    ],
  });
}

interface Batch {
  readonly size: number;
  readonly incident?: Incident;
}

/** Losses, metrics and weights after a step for each batch; how many tensors that left behind. */
function trainOnBatches(batches: readonly Batch[]): Promise<{ readonly bits: string; readonly left: number }> {
  return withSeededRandom(async () => {
    let incident: Incident = (input) => input;
    const before = tf.memory().numTensors;
    const model = convolutions((input) => incident(input));
    const optimizer = tf.train.momentum(0.01, 0.9);
    model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const told: unknown[] = [];
    for (const [i, batch] of batches.entries()) {
      incident = batch.incident ?? ((input) => input);
      const xs = tf.randomUniform([batch.size, 8, 8, 4], -1, 1, "float32", i);
      const ys = tf.tidy(() =>
        tf.oneHot(
          tf.tensor1d(
            Array.from({ length: batch.size }, (_, k) => k % 4),
            "int32",
          ),
          4,
        ),
      );
      told.push(await model.trainOnBatch(xs, ys));
      tf.dispose([xs, ys]);
    }
    const values = await Promise.all(model.getWeights().map((weight) => weight.data()));
    model.dispose();
    optimizer.dispose();
    const bits = values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
    return { bits: `${JSON.stringify(told)} ${bits}`, left: tf.memory().numTensors - before };
  });
}

/** Other losses of the perceptron. */
const BRANCHES: Readonly<Record<string, (net: Perceptron) => tfjs.Scalar>> = {
  "its input again": (net) => tf.add(net.loss(), tf.mean(tf.square(net.x))),
  "an activation again": (net) => {
    const through = (y: tfjs.Tensor, weight: tfjs.Tensor): tfjs.Tensor => tf.tanh(tf.matMul(y, weight));
    const [first, ...rest] = net.weights as unknown as tfjs.Tensor[];
    const early = through(net.x, first as tfjs.Tensor);
    return tf.mean(tf.square(tf.add(rest.reduce(through, early), early)));
  },
  "two weights of different layers": (net) => {
    const [a, b] = net.weights as unknown as [tfjs.Tensor, tfjs.Tensor];
    return tf.add(net.loss(), tf.mean(tf.square(tf.matMul(a, b))));
  },
};

/** Fails once, as a step does that has no room. */
function failingOnce(): () => void {
  let isLeft = true;
  return () => {
    if (isLeft) {
      isLeft = false;
      throw new VdnnError("ERR_OUT_OF_MEMORY", "no room in a test");
    }
  };
}

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
  },
  () => {
    const sessions: readonly VirtualizeOptions[] = [
      { policy: "vdnn-all" },
      { policy: "vdnn-all", deviceMemory: "420KiB" },
      { policy: "auto", deviceMemory: "420KiB" },
    ];

    describe.each(sessions)("under $policy in $deviceMemory", (options) => {
      test("batch sizes that alternate have the bits of stock", async () => {
        const batches = [16, 16, 16, 11, 16, 11].map((size) => ({ size }));
        const { bits } = await trainOnBatches(batches);
        await within(tf, options, async () => expect((await trainOnBatches(batches)).bits).toBe(bits));
      });

      test.each(Object.keys(BRANCHES))(
        "a step that takes another branch and uses %s has the bits of stock",
        async (name) => {
          const branch = BRANCHES[name] as (net: Perceptron) => tfjs.Scalar;
          const lossOf = (net: Perceptron, i: number) => (i === 4 ? branch(net) : net.loss());
          const stock = perceptron(tf, tf.train.sgd(0.05), 8);
          for (let i = 0; i < 6; i++) stock.optimizer.minimize(() => lossOf(stock, i), false, stock.weights);
          const expected = await stock.bits();
          stock.dispose();
          await within(tf, options, async (session) => {
            const net = perceptron(tf, tf.train.sgd(0.05), 8);
            for (let i = 0; i < 6; i++) await session.minimize(net.optimizer, () => lossOf(net, i), false, net.weights);
            expect(await net.bits()).toBe(expected);
            net.dispose();
          });
        },
      );
    });

    describe("a step that leaves its plan and has no room", () => {
      test("begins again in a training loop, and draws the same random numbers", async () => {
        const lossOf = (net: Perceptron, i: number, incident: () => void): tfjs.Scalar => {
          const noise = tf.randomUniform([1]).asScalar();
          const loss = tf.mul<tfjs.Scalar>(net.loss(), tf.add(noise, 1));
          if (i !== 4) return loss;
          const other = tf.add<tfjs.Scalar>(loss, tf.mean(tf.square(net.x)));
          incident();
          return other;
        };
        const expected = await withSeededRandom(async () => {
          const net = perceptron(tf);
          for (let i = 0; i < 6; i++) net.optimizer.minimize(() => lossOf(net, i, () => undefined), false, net.weights);
          const bits = await net.bits();
          net.dispose();
          return bits;
        });
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          const fail = failingOnce();
          const before = tf.memory().numTensors;
          await withSeededRandom(async () => {
            for (let i = 0; i < 6; i++)
              await session.minimize(net.optimizer, () => lossOf(net, i, fail), false, net.weights);
          });
          expect(await net.bits()).toBe(expected);
          expect(tf.memory().numTensors).toBe(before);
          expect(session.report().warnings.join()).toMatch(
            /began again: its loss function ran twice.*no room in a test/,
          );
          net.dispose();
        });
      });

      test("begins again where gradients alone are asked for, and leaves nothing behind, failed or not", async () => {
        const lossOf = (net: Perceptron, fail: () => void): tfjs.Scalar => {
          const through = tf.customGrad((input) => ({
            value: tf.mul(input as tfjs.Tensor, 2),
            gradFunc(dy: tfjs.Tensor | tfjs.Tensor[]): tfjs.Tensor {
              fail();
              return tf.mul(dy as tfjs.Tensor, 2);
            },
          }));
          return through(net.loss()) as tfjs.Scalar;
        };
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          const train = async (loss: () => tfjs.Scalar): Promise<void> => {
            const { value, grads } = await session.variableGrads(loss, net.weights);
            tf.dispose([value, grads]);
          };
          for (let i = 0; i < 3; i++) await train(net.loss);
          const tensors = tf.memory().numTensors;
          const fail = failingOnce();
          await train(() => lossOf(net, fail));
          expect(session.report().warnings.join()).toMatch(/began again/);
          const refuse = (): never => {
            throw new Error("no gradient in a test");
          };
          await expect(train(() => lossOf(net, refuse))).rejects.toThrow("no gradient in a test");
          expect(tf.memory().numTensors).toBe(tensors);
          net.dispose();
        });
      });

      test.each(["forward", "backward"])("begins again in a model that fails in its %s pass", async (pass) => {
        const other = (fail: () => void): Incident => {
          const through = tf.customGrad((input) => {
            if (pass === "forward") fail();
            const gradFunc = (dy: tfjs.Tensor | tfjs.Tensor[]): tfjs.Tensor => {
              if (pass === "backward") fail();
              return tf.mul(dy as tfjs.Tensor, 2);
            };
            return { value: tf.mul(input as tfjs.Tensor, 2), gradFunc };
          });
          return (input) => through(tf.neg(input));
        };
        const batchesWith = (fail: () => void): Batch[] =>
          [16, 16, 16, 16, 16].map((size, i) => (i === 3 ? { size, incident: other(fail) } : { size }));
        const stock = await trainOnBatches(batchesWith(() => undefined));
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          expect(await trainOnBatches(batchesWith(failingOnce()))).toEqual(stock);
          expect(session.report().warnings.join()).toMatch(/began again/);
        });
      });

      test("fails where it has no room the second time either, and is undone", async () => {
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          for (let i = 0; i < 3; i++) await session.minimize(net.optimizer, net.loss, false, net.weights);
          const [before, tensors] = [await net.bits(), tf.memory().numTensors];
          const loss = (): tfjs.Scalar => {
            tf.mean(tf.square(net.x));
            throw new VdnnError("ERR_OUT_OF_MEMORY", "no room in a test");
          };
          await expect(session.minimize(net.optimizer, loss, false, net.weights)).rejects.toThrow("no room in a test");
          expect(await net.bits()).toBe(before);
          expect(tf.memory().numTensors).toBe(tensors);
          net.dispose();
        });
      });
    });
  },
);
