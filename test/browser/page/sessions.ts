/** Sessions from the outside: budgets, refusals, one after another. */
import * as tf from "@tensorflow/tfjs";
import { virtualize } from "../../../src/browser.ts";
import { countBuffers, countTextures, type DeviceCounter } from "../../support/device-counters.ts";
import { type NetworkRun, trainNetwork } from "../../support/trained-network.ts";
import { type Backend, startBackend, stepsOn } from "./backend.ts";

/** What stock TensorFlow.js allocates for it is several times what one layer needs. */
const CHAIN: NetworkRun = {
  name: "chain",
  options: { depth: 16, width: 8, imageSize: 8, classes: 3 },
  batchSize: 8,
};

export interface BudgetReport {
  readonly stockPeakBytes: number;
  readonly budgetBytes: number;
  /** The most that was allocated on the device under vdnn, counted apart from it. */
  readonly peakBytes: number;
  /** What was allocated at the end, by that count and by the session's. */
  readonly allocatedBytes: readonly [number, number | null];
  readonly mode: string | undefined;
  /** In the last step something left the device, or ran again. */
  readonly isVirtual: boolean;
  /** Losses and weights have the bits of stock. */
  readonly isEqual: boolean;
}

export const sessions = {
  /** Trains a chain without vdnn, then in a fraction of what that allocated. The device must not have been used before. */
  async trainInFraction(backend: "webgpu" | "webgl", fraction: number): Promise<BudgetReport> {
    await startBackend(backend);
    const counter = countOn(backend);
    const steps = stepsOn(backend);
    const expected = await trainNetwork(tf, CHAIN, steps);
    const stockPeakBytes = counter.peakBytes;
    const budgetBytes = Math.floor(fraction * stockPeakBytes);
    const session = await virtualize(tf, { policy: "auto", deviceMemory: budgetBytes });
    try {
      counter.restart();
      const found = await trainNetwork(tf, CHAIN, steps);
      const last = session.report().iterations.at(-1);
      return {
        stockPeakBytes,
        budgetBytes,
        peakBytes: counter.peakBytes,
        allocatedBytes: [counter.bytes, session.allocatedDeviceBytes],
        mode: last?.mode,
        isVirtual: (last?.offloadBytes ?? 0) + (last?.recomputeMs ?? 0) > 0,
        isEqual: JSON.stringify(found) === JSON.stringify(expected),
      };
    } finally {
      await session.dispose();
      counter.end();
    }
  },

  /** A synchronous training call under a policy that offloads. Null if it is not refused. */
  async minimizeAtOnce(backend: Backend): Promise<{ readonly code: string; readonly message: string } | null> {
    await startBackend(backend);
    const session = await virtualize(tf, { policy: "vdnn-all" });
    const weight = tf.variable(tf.ones([40, 40]));
    const optimizer = tf.train.sgd(0.1);
    try {
      optimizer.minimize(() => tf.mean(tf.square(weight)));
      return null;
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    } finally {
      await session.dispose();
      tf.dispose(weight);
      optimizer.dispose();
    }
  },

  /** One model trained on through sessions, one after another, and without any; true if every weight has the bits of stock. */
  async changePolicies(backend: Backend, policies: readonly string[]): Promise<boolean> {
    await startBackend(backend);
    const train = async (around: (policy: string, step: () => Promise<unknown>) => Promise<void>): Promise<string> => {
      const { build, fit, read } = smallModel();
      const model = build();
      for (const policy of policies) await around(policy, () => fit(model));
      return read(model);
    };
    const expected = await train(async (_policy, step) => void (await step()));
    const found = await train(async (policy, step) => {
      const session = await virtualize(tf, { policy });
      await step();
      await session.dispose();
    });
    return found === expected;
  },
};

function countOn(backend: Backend): DeviceCounter {
  return backend === "webgpu" ? countBuffers(tf) : countTextures(tf);
}

/** Two convolutions and a dense layer, with momentum. */
function smallModel() {
  const { layers, initializers } = tf;
  const seeded = (seed: number) => initializers.glorotUniform({ seed });
  return {
    build: (): tf.LayersModel => {
      const model = tf.sequential();
      const conv = { filters: 4, kernelSize: 3, padding: "same", activation: "relu" } as const;
      model.add(layers.conv2d({ ...conv, inputShape: [8, 8, 3], kernelInitializer: seeded(1) }));
      model.add(layers.conv2d({ ...conv, kernelInitializer: seeded(2) }));
      model.add(layers.flatten());
      model.add(layers.dense({ units: 3, activation: "softmax", kernelInitializer: seeded(3) }));
      model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: "categoricalCrossentropy" });
      return model;
    },
    fit: async (model: tf.LayersModel): Promise<void> => {
      const xs = tf.tensor4d(
        Float32Array.from({ length: 8 * 192 }, (_, i) => Math.sin(i)),
        [8, 8, 8, 3],
      );
      const ys = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], "int32"), 3);
      await model.fit(xs, ys, { epochs: 2, batchSize: 4, shuffle: false });
      tf.dispose([xs, ys]);
    },
    read: async (model: tf.LayersModel): Promise<string> => {
      const values = await Promise.all(model.weights.map((weight) => weight.read().data()));
      model.dispose();
      return values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
    },
  };
}
