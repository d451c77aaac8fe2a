/** What can go wrong on a WebGPU device: each is a typed error, and training goes on. Skipped, and says so, without an adapter. */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { virtualize } from "../../src/platforms/node.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { perceptron } from "../support/perceptron.ts";
import { inTheMiddle, step, stockBits, within } from "../support/perceptron-steps.ts";

interface Device {
  readonly limits: object;
  popErrorScope(): Promise<unknown>;
  destroy(): void;
}

let tf: typeof tfjs;
let device: Device;

/** The device refuses the allocation that comes after `granted` others. Tells how many it was asked for. */
function refuseAllocation(granted: number): { readonly asked: () => number; readonly restore: () => void } {
  const pop = device.popErrorScope;
  const { GPUOutOfMemoryError } = globalThis as unknown as { GPUOutOfMemoryError: new (message: string) => object };
  let asked = 0;
  device.popErrorScope = async () => {
    const isRefused = asked++ === granted;
    const answer = await pop.call(device);
    return isRefused ? new GPUOutOfMemoryError("refused by a test") : answer;
  };
  return { asked: () => asked, restore: () => void Reflect.deleteProperty(device, "popErrorScope") };
}

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
    ({ device } = tf.backend() as unknown as { device: Device });
  },
  () => {
    describe("memory", () => {
      test("a refused allocation undoes the step wherever it comes, and training goes on", async () => {
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const net = perceptron(tf);
          await step(session, net);
          // Sizes that no buffer in the pool has: every step allocates.
          const wide = [2, 3, 4, 5].map((times) => tf.concat(Array.from({ length: times }, () => net.x)));
          const stepOn = (x: tfjs.Tensor) => step(session, net, () => net.lossOf(x));
          const count = refuseAllocation(Number.POSITIVE_INFINITY);
          await stepOn(wide[0] as tfjs.Tensor);
          count.restore();
          const last = count.asked() - 1;
          expect(last).toBeGreaterThan(4);
          for (const [i, granted] of [0, Math.floor(last / 2), last].entries()) {
            const x = wide[i + 1] as tfjs.Tensor;
            const before = await net.bits();
            const refusal = refuseAllocation(granted);
            await expect(stepOn(x)).rejects.toMatchObject({ code: "ERR_OUT_OF_MEMORY" });
            refusal.restore();
            expect(await net.bits()).toBe(before);
            await stepOn(x);
            expect(await net.bits()).not.toBe(before);
          }
          tf.dispose(wide);
          net.dispose();
        });
      });

      test("a refusal that is told after the backward pass leaves no gradient behind", async () => {
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const optimizer = tf.train.sgd(0.1);
          let isRefused = true;
          for (let granted = 0; isRefused; granted++) {
            // Sizes that no buffer in the pool has: every step allocates.
            const x = tf.ones<tfjs.Rank.R2>([96, 70 + granted]);
            const weight = tf.variable(tf.ones<tfjs.Rank.R2>([70 + granted, 64 + 3 * granted]));
            const loss = (): tfjs.Scalar => tf.mean(tf.square(tf.tanh(tf.matMul(x, weight))));
            const before = tf.memory().numTensors;
            const refusal = refuseAllocation(granted);
            isRefused = await session.minimize(optimizer, loss, false, [weight]).then(
              () => false,
              () => true,
            );
            refusal.restore();
            expect(tf.memory().numTensors).toBe(before);
            tf.dispose([x, weight]);
          }
        });
      });

      test("a budget below the weights is told with what the weights need", async () => {
        const net = perceptron(tf);
        await within(tf, { policy: "auto", deviceMemory: "48KiB" }, async (session) => {
          await expect(step(session, net)).rejects.toMatchObject({
            code: "ERR_OUT_OF_MEMORY",
            message: expect.stringMatching(/the weights alone need 64 KiB, more than the device budget of 48 KiB/),
            details: expect.objectContaining({ weightBytes: 4 * 64 * 64 * 4 }),
          });
        });
        net.dispose();
      });

      test("a tensor above the adapter's limits is told with layer, kernel, bytes and limit", async () => {
        const net = perceptron(tf);
        const own = Object.getOwnPropertyDescriptor(device, "limits");
        await within(tf, { policy: "vdnn-all" }, async (session) => {
          const before = await net.bits();
          const real = device.limits as Record<string, unknown>;
          const lower: Record<string, unknown> = { maxBufferSize: 1 << 20, maxStorageBufferBindingSize: 80 * 1024 };
          const limits = new Proxy({}, { get: (_, name) => lower[String(name)] ?? real[String(name)] });
          Object.defineProperty(device, "limits", { value: limits, configurable: true });
          const wide = tf.concat([net.x, net.x]);
          try {
            await step(session, net);
            await expect(step(session, net, () => net.lossOf(tf.concat([wide, net.x])))).rejects.toMatchObject({
              code: "ERR_OUT_OF_MEMORY",
              message: expect.stringMatching(
                /needs one tensor of 96 KiB for Concat.*80 KiB \(maxStorageBufferBindingSize\)/,
              ),
              details: expect.objectContaining({ kernel: "Concat", neededBytes: 96 * 1024, capacityBytes: 80 * 1024 }),
            });
          } finally {
            if (own === undefined) Reflect.deleteProperty(device, "limits");
            else Object.defineProperty(device, "limits", own);
          }
          expect(await net.bits()).not.toBe(before);
          await step(session, net);
          wide.dispose();
        });
        net.dispose();
      });
    });

    // The last one: there is no device after it.
    test("a lost device is a typed error for every pending call, and TensorFlow.js trains on with another backend", async () => {
      const factory = tf.findBackendFactory("webgpu");
      const own = new Set(Object.keys(tf.engine()));
      const session = await virtualize(tf, { policy: "vdnn-all" });
      const net = perceptron(tf);
      await step(session, net);
      const calls = [0, 1, 2].map(() => step(session, net));
      await inTheMiddle(() => device.destroy());
      const results = await Promise.allSettled([...calls, step(session, net)]);
      for (const result of results)
        expect(result).toMatchObject({ status: "rejected", reason: expect.objectContaining({ code: "ERR_BACKEND" }) });
      await session.dispose();
      net.dispose();
      expect(Object.keys(tf.engine()).filter((key) => !own.has(key))).toEqual([]);

      tf.removeBackend("webgpu");
      tf.registerBackend("webgpu", factory, 3);
      await tf.setBackend("webgpu");
      const again = perceptron(tf);
      await within(tf, { policy: "vdnn-all" }, async (fresh) => {
        await step(fresh, again);
        await step(fresh, again);
      });
      const bits = await again.bits();
      again.dispose();
      expect(bits).toBe(await stockBits(tf, 2));
    });
  },
);
