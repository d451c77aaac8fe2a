/**
 * What a program can do in the middle of a step on WebGPU: it ends with a typed error or with the bits of stock, and training goes on.
 * Skipped, and says so, without an adapter.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test, vi } from "vitest";
import { virtualize } from "../../src/platforms/node.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { perceptron } from "../support/perceptron.ts";
import { inTheMiddle, step, stockBits, within } from "../support/perceptron-steps.ts";

let tf: typeof tfjs;

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
  },
  () => {
    describe("other code in the middle of a step", () => {
      test("disposes its input, and predicts: the bits are those of stock", async () => {
        const expected = await stockBits(tf, 2);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          const other = tf.ones([32, 64]);
          await step(session, net);
          const running = step(session, net);
          await inTheMiddle(() => {
            tf.tidy(() => void net.lossOf(other));
            tf.dispose(net.x);
          });
          await running;
          expect(await net.bits()).toBe(expected);
          other.dispose();
          net.dispose();
        });
      });

      test("uses a tensor that is on its way to the host: told so, and the step is not disturbed", async () => {
        const expected = await stockBits(tf, 3);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          for (let i = 0; i < 2; i++) {
            const running = step(session, net);
            const used = inTheMiddle(() => tf.tidy(() => void net.lossOf(net.x)));
            // It had arrived, or it had not.
            await used.catch((error: unknown) => expect(error).toMatchObject({ code: "ERR_BACKEND" }));
            await running;
          }
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("disposes a variable: the step fails or not, and the next one works without it", async () => {
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          const extra = tf.variable(tf.ones([64, 64]));
          const loss = () =>
            tf.tidy(() =>
              net
                .loss()
                .add(tf.mean(net.x.matMul(extra)))
                .asScalar(),
            );
          const running = Promise.allSettled([session.minimize(net.optimizer, loss, false, [...net.weights, extra])]);
          await inTheMiddle(() => extra.dispose());
          await running;
          const tensors = tf.memory().numTensors;
          await step(session, net);
          expect(tf.memory().numTensors).toBe(tensors);
          net.dispose();
        });
      });

      test("uses an input again that its plan has sent away: a step that fails is recorded when it is tried again", async () => {
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          for (let i = 0; i < 2; i++) await step(session, net);
          const loss = () => tf.add<tfjs.Scalar>(net.loss(), tf.mean(tf.square(net.x)));
          // Whether it fails is a matter of what had arrived.
          await step(session, net, loss).catch((error: unknown) =>
            expect(error).toMatchObject({ code: "ERR_BACKEND" }),
          );
          for (let i = 0; i < 2; i++) await step(session, net, loss);
          expect(session.report().iterations.at(-1)?.mode).toBe("planned");
          net.dispose();
        });
      });

      test("asks for another step inside the loss: it comes after", async () => {
        const expected = await stockBits(tf, 2);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          let nested: Promise<unknown> = Promise.resolve();
          await step(session, net, () => {
            nested = step(session, net);
            return net.loss();
          });
          await nested;
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("throws inside the loss: the error is the program's own, and nothing is left behind", async () => {
        const expected = await stockBits(tf, 2);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          const before = tf.memory().numTensors;
          const mistake = new Error("a mistake in the loss");
          await expect(
            step(session, net, () => {
              net.loss();
              throw mistake;
            }),
          ).rejects.toBe(mistake);
          expect(tf.memory().numTensors).toBe(before);
          await step(session, net);
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("throws in onIteration: the step is done, and the next one works", async () => {
        const expected = await stockBits(tf, 3);
        const mistake = new Error("a mistake in a callback");
        let calls = 0;
        const onIteration = (): void => {
          if (++calls === 2) throw mistake;
        };
        await within(tf, { policy: "vdnn-all", onIteration }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          const before = tf.memory().numTensors;
          await expect(step(session, net)).rejects.toBe(mistake);
          expect(tf.memory().numTensors).toBe(before);
          await step(session, net);
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("disposes the session: the step ends first, and later ones are stock TensorFlow.js", async () => {
        const expected = await stockBits(tf, 3);
        const session = await virtualize(tf, { policy: "vdnn-all" });
        const net = perceptron(tf);
        await step(session, net);
        await Promise.all([step(session, net), session.dispose()]);
        await step(session, net);
        expect(await net.bits()).toBe(expected);
        net.dispose();
      });

      test("disposes the session while it trains on: it ends between two steps, and later ones are stock TensorFlow.js", async () => {
        const expected = await stockBits(tf, 8);
        const session = await virtualize(tf, { policy: "vdnn-all" });
        const net = perceptron(tf);
        const training = (async () => {
          for (let i = 0; i < 8; i++) await step(session, net);
        })();
        await inTheMiddle(() => undefined);
        await session.dispose();
        await training;
        expect(session.report().iterations.length).toBeLessThan(8);
        expect(await net.bits()).toBe(expected);
        net.dispose();
      });

      test("fits two models at once, one longer than the other: both have the bits of one after the other", async () => {
        const data = tf.randomUniform([32, 64], -1, 1, "float32", 5);
        const fit = async (seed: number, epochs: number) => {
          const kernelInitializer = tf.initializers.randomUniform({ seed, minval: -0.2, maxval: 0.2 });
          const layer = { units: 64, activation: "tanh", kernelInitializer } as const;
          const model = tf.sequential({
            layers: [tf.layers.dense({ ...layer, inputShape: [64] }), tf.layers.dense(layer)],
          });
          model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
          await model.fit(data, data, { epochs, batchSize: 16, shuffle: false });
          const values = await Promise.all(model.getWeights().map((weight) => weight.data()));
          model.dispose();
          return values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
        };
        const expected = [await fit(1, 1), await fit(2, 3)];
        await within(tf, { policy: "vdnn-all" }, async () => {
          expect(await Promise.all([fit(1, 1), fit(2, 3)])).toEqual(expected);
        });
        data.dispose();
      });

      test("asks for gradients while an update waits for the device's answer: refused, and the step is not disturbed", async () => {
        const expected = await stockBits(tf, 2);
        await within(tf, { policy: "liveness" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          const { optimizer } = net;
          const apply = optimizer.applyGradients.bind(optimizer);
          let answer: unknown = null;
          optimizer.applyGradients = (gradients) => {
            apply(gradients);
            // Of a size that no buffer in the pool has, so that there is something to answer.
            tf.dispose(tf.square(tf.ones([3333])));
            queueMicrotask(() => {
              try {
                tf.grad((x) => tf.sum(tf.square(x)))(net.x).dispose();
              } catch (error) {
                answer = error;
              }
            });
          };
          await step(session, net);
          expect(answer).toMatchObject({
            code: "ERR_BACKEND",
            message: expect.stringMatching(/another training call waits/),
          });
          expect(session.report().iterations.map(({ kernels }) => kernels)).toHaveLength(2);
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("a hidden page slows timers: no step waits for one", async () => {
        const { setTimeout: timeout, setInterval: interval } = globalThis;
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          const timers = vi.fn();
          Object.assign(globalThis, { setTimeout: timers, setInterval: timers, requestAnimationFrame: timers });
          try {
            await step(session, net);
            await step(session, net);
          } finally {
            Object.assign(globalThis, { setTimeout: timeout, setInterval: interval });
            Reflect.deleteProperty(globalThis, "requestAnimationFrame");
          }
          expect(timers).not.toHaveBeenCalled();
          net.dispose();
        });
      });
    });
  },
);
