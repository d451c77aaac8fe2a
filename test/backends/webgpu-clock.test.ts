/** Plans on WebGPU are made with the device's times. Skipped, and says so, without an adapter. */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import type { Session } from "../../src/runtime/session.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { type Perceptron, perceptron } from "../support/perceptron.ts";
import { step, stockBits, within } from "../support/perceptron-steps.ts";

interface Backend {
  readonly device: {
    readonly features: ReadonlySet<string>;
    readonly queue: { onSubmittedWorkDone(): Promise<void> };
    createQuerySet(descriptor: object): { destroy(): void };
  };
}

/** One that is recorded, one that follows the first plan and is timed, and those that follow the plan made with its times. */
const STEPS = 7;
const TIMED = 2;

let tf: typeof tfjs;
let backend: Backend;

/** Trains, and returns the times of the steps until the device has run them, ms. */
async function trained(
  session: Session,
  net: Perceptron,
  inputOf = (_step: number): tfjs.Tensor => net.x,
): Promise<number[]> {
  const stepMs: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const start = performance.now();
    await step(session, net, () => net.lossOf(inputOf(i)));
    await backend.device.queue.onSubmittedWorkDone();
    stepMs.push(performance.now() - start);
  }
  return stepMs;
}

/** The device tells that it has these features, until they are restored. */
function withFeatures(features: ReadonlySet<string>): { readonly restore: () => void } {
  const stock = Object.getOwnPropertyDescriptor(backend.device, "features");
  Object.defineProperty(backend.device, "features", { configurable: true, value: features });
  return {
    restore: () => {
      Reflect.deleteProperty(backend.device, "features");
      if (stock !== undefined) Object.defineProperty(backend.device, "features", stock);
    },
  };
}

/** The prediction over the measurement nearest to it: on a machine that others use, steps take longer at times. */
function nearest(predictedMs: number, measuredMs: readonly number[]): number {
  const factors = measuredMs.map((ms) => predictedMs / ms);
  return factors.toSorted((a, b) => Math.abs(Math.log(a)) - Math.abs(Math.log(b)))[0] ?? Number.NaN;
}

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
    backend = tf.backend() as unknown as Backend;
  },
  () => {
    describe.each([
      ["timestamps", true],
      ["no timestamps", false],
    ])("on a device with %s", (_, timestamps) => {
      test("the predicted step is near the measured one, with the same bits in the same budget", async () => {
        const features = withFeatures(timestamps ? backend.device.features : new Set());
        const own = Object.keys(backend);
        const net = perceptron(tf);
        const deviceMemory = "512KiB";
        await within(tf, { policy: "auto", deviceMemory }, async (session) => {
          const covered = Object.keys(backend);
          const before = session.peakAllocatedDeviceBytes;
          const stepMs = await trained(session, net);
          const { plans, iterations } = session.report();
          expect(iterations.at(-1)?.mode).toBe("planned");
          const factor = nearest(plans[0]?.predictedStepMs ?? 0, stepMs.slice(TIMED));
          expect(factor).toBeGreaterThan(1 / 3);
          expect(factor).toBeLessThan(3);
          const { kernels = [] } = session.graph() ?? {};
          expect(kernels.every(({ ms }) => ms >= 0)).toBe(true);
          const product = kernels.find(({ name }) => /MatMul/.test(name))?.ms ?? 0;
          expect(product).toBeGreaterThan(0);
          // What was in the pool before the session began is part of the peak.
          const bounds = [session.report().deviceMemoryBytes ?? 0, before ?? 0];
          expect(session.peakAllocatedDeviceBytes).toBeLessThanOrEqual(Math.max(...bounds));
          expect(Object.keys(backend)).toEqual(covered);
        });
        features.restore();
        expect(Object.keys(backend)).toEqual(own);
        const bits = await net.bits();
        net.dispose();
        expect(bits).toBe(await stockBits(tf, STEPS));
      });
    });

    test("the calibrating iteration alone has a query set, which it destroys", async (context) => {
      const { device } = backend;
      context.skip(!device.features.has("timestamp-query"), "the device has no timestamps");
      const create = device.createQuerySet.bind(device);
      const events: string[] = [];
      let done = 0;
      device.createQuerySet = (descriptor) => {
        events.push(`made in step ${done}`);
        const set = create(descriptor);
        const destroy = set.destroy.bind(set);
        set.destroy = () => {
          events.push(`destroyed in step ${done}`);
          destroy();
        };
        return set;
      };
      const net = perceptron(tf);
      try {
        await within(tf, { policy: "auto" }, async (session) => {
          for (done = 0; done < 4; done++) await step(session, net);
        });
      } finally {
        Reflect.deleteProperty(device, "createQuerySet");
        net.dispose();
      }
      expect(events).toEqual(["made in step 1", "destroyed in step 1"]);
    });

    test("each kind of step is timed where kinds alternate", async () => {
      const net = perceptron(tf);
      const half = net.x.slice(0, 64);
      await within(tf, { policy: "auto" }, async (session) => {
        const stepMs = await trained(session, net, (i) => (i % 2 === 0 ? net.x : half));
        const { plans } = session.report();
        expect(plans).toHaveLength(2);
        for (const { predictedStepMs } of plans) {
          const factor = nearest(predictedStepMs, stepMs.slice(2 * TIMED));
          expect(factor).toBeGreaterThan(1 / 3);
          expect(factor).toBeLessThan(3);
        }
      });
      half.dispose();
      net.dispose();
    });

    test("gradients alone are timed too, and a trace does not miss what comes after", async () => {
      const net = perceptron(tf);
      await within(tf, { policy: "auto", trace: true }, async (session) => {
        for (let i = 0; i < 3; i++) {
          const { value, grads } = await session.variableGrads(net.loss, net.weights);
          net.optimizer.applyGradients(grads);
          tf.dispose([value, grads]);
        }
        await backend.device.queue.onSubmittedWorkDone();
        const { kernels = [] } = session.graph() ?? {};
        expect(kernels.some(({ pass, ms }) => pass === "update" && ms > 0)).toBe(true);
        expect(kernels.every(({ ms }) => ms >= 0)).toBe(true);
        const lanes = session
          .trace()
          .flatMap((event) => ("iteration" in event && event.iteration === 2 ? [event.lane] : []));
        expect(lanes).toContain("compute");
      });
      net.dispose();
    });
  },
);
