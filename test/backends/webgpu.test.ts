/** The WebGPU backend: training that awaits, and what is allocated on the device. Skipped, and says so, without an adapter. */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { attach } from "../../src/platforms/node.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { countBuffers } from "../support/device-counters.ts";
import { perceptron } from "../support/perceptron.ts";
import { stockBits, within } from "../support/perceptron-steps.ts";
import { trainNetwork } from "../support/trained-network.ts";

let tf: typeof tfjs;

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
  },
  () => {
    describe("training calls", () => {
      test.each(["none", "liveness", "vdnn-all", "auto"])(
        "session.minimize has the bits of stock under %s",
        async (policy) => {
          const expected = await stockBits(tf, 4);
          await within(tf, { policy }, async (session) => {
            const net = perceptron(tf);
            for (let step = 0; step < 4; step++) {
              const cost = await session.minimize(net.optimizer, net.loss, true, net.weights);
              expect((await cost?.data())?.length).toBe(1);
              cost?.dispose();
            }
            expect(await net.bits()).toBe(expected);
            net.dispose();
          });
        },
      );

      test("session.variableGrads hands out what tf.variableGrads does", async () => {
        const net = perceptron(tf);
        const bitsOf = async (grads: tfjs.NamedTensorMap): Promise<string[]> => {
          const values = await Promise.all(Object.values(grads).map((grad) => grad.data()));
          tf.dispose(grads);
          return values.map((value) => value.join());
        };
        const stock = tf.variableGrads(net.loss, net.weights);
        stock.value.dispose();
        const expected = await bitsOf(stock.grads);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          for (let step = 0; step < 3; step++) {
            const { value, grads } = await session.variableGrads(net.loss, net.weights);
            value.dispose();
            expect(Object.keys(grads)).toEqual(net.weights.map(({ name }) => name));
            expect(await bitsOf(grads)).toEqual(expected);
          }
        });
        net.dispose();
      });

      test("a synchronous optimizer.minimize is refused and told what to call", async () => {
        await within(tf, { policy: "auto", deviceMemory: "1MiB" }, async () => {
          const net = perceptron(tf);
          expect(() => net.optimizer.minimize(net.loss)).toThrow(/await session\.minimize\(optimizer, f\)/);
          net.dispose();
        });
        expect(() => attach(tf)).toThrow(/await virtualize/);
      });

      test("two at once run one after the other", async () => {
        const expected = await stockBits(tf, 4);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          const calls = Array.from({ length: 4 }, () => session.minimize(net.optimizer, net.loss, false, net.weights));
          await Promise.all(calls);
          expect(await net.bits()).toBe(expected);
          net.dispose();
        });
      });

      test("kernels that run while a step waits are counted, and change nothing", async () => {
        const expected = await stockBits(tf, 3);
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          let running = true;
          const intrude = (): void => {
            if (!running) return;
            tf.tidy(() => void tf.add(tf.ones([40, 40]), 1));
            setImmediate(intrude);
          };
          setImmediate(intrude);
          for (let step = 0; step < 3; step++) await session.minimize(net.optimizer, net.loss, false, net.weights);
          running = false;
          expect(await net.bits()).toBe(expected);
          const { iterations, warnings } = session.report();
          expect(iterations.some(({ foreignKernels = 0 }) => foreignKernels > 0)).toBe(true);
          expect(warnings.join()).toMatch(/while a training step waited/);
          net.dispose();
        });
      });
    });

    describe("device memory", () => {
      test("a chain of 24 layers trains in a tenth of what stock allocates, and never over the budget", async () => {
        const chain = { name: "chain", options: { depth: 24, width: 8, imageSize: 8, classes: 3 }, batchSize: 8 };
        const train = async (steps: number): Promise<number[]> => (await trainNetwork(tf, chain, steps)).losses;
        const counter = countBuffers(tf);
        try {
          const expected = await train(3);
          const budget = Math.floor(0.1 * counter.peakBytes);
          await within(tf, { policy: "auto", deviceMemory: budget }, async (session) => {
            counter.restart();
            expect(await train(3)).toEqual(expected);
            expect(session.report().iterations.at(-1)?.mode).toBe("planned");
            expect(counter.peakBytes).toBeLessThanOrEqual(budget);
            expect(session.allocatedDeviceBytes).toBe(counter.bytes);
          });
        } finally {
          counter.end();
        }
      });

      test("a residual network with batch normalization has the bits of stock while its feature maps move", async () => {
        const net = { name: "resnet", options: { depth: 8, width: 0.25, imageSize: 16, classes: 3 }, batchSize: 4 };
        const train = () => trainNetwork(tf, net, 3);
        const expected = await train();
        const peakBytes = await within(tf, { policy: "vdnn-all" }, async (session) => {
          expect(await train()).toEqual(expected);
          const { iterations, peakDeviceBytes } = session.report();
          expect(iterations.at(-1)?.offloadBytes).toBeGreaterThan(0);
          return peakDeviceBytes;
        });
        const deviceMemory = Math.floor(1.1 * peakBytes);
        await within(tf, { policy: "auto", deviceMemory }, async (session) => {
          expect(await train()).toEqual(expected);
          expect(session.report().peakDeviceBytes).toBeLessThanOrEqual(deviceMemory);
        });
      });
    });
  },
);
