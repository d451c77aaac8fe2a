/** What a session promises beyond equal bits: budgets that hold, failures that undo themselves, an engine left as it was. */
import type * as tfjs from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { VdnnError } from "../../src/errors.ts";
import { findNetwork } from "../../src/networks/index.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import { virtualize } from "../../src/platforms/node.ts";
import type { Session } from "../../src/runtime/session.ts";
import { activeSession } from "../../src/runtime/virtualize.ts";
import { KIB, MIB } from "../../src/units.ts";

let tf: TensorFlow;
let session: Session | null = null;

async function open(options: VirtualizeOptions): Promise<Session> {
  session = await virtualize(tf, options);
  return session;
}

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

afterEach(async () => {
  await session?.dispose();
  session = null;
});

interface Trainer {
  readonly model: tfjs.LayersModel;
  step(batchSize: number): Promise<number>;
  bits(): string;
  dispose(): void;
}

/** A chain of convolutions with batch normalization, whose feature maps take 64 KiB each at batch 16. */
function trainer(optimizer: tfjs.Optimizer, depth = 8): Trainer {
  const input = tf.input({ shape: [16, 16, 3], name: "input" });
  let x: tfjs.SymbolicTensor = input;
  for (let i = 1; i <= depth; i++) {
    const kernelInitializer = tf.initializers.glorotUniform({ seed: i });
    x = tf.layers
      .conv2d({ name: `conv${i}`, filters: 4, kernelSize: 3, padding: "same", activation: "relu", kernelInitializer })
      .apply(x) as tfjs.SymbolicTensor;
    if (i === 1) x = tf.layers.batchNormalization({ name: "norm" }).apply(x) as tfjs.SymbolicTensor;
  }
  x = tf.layers.globalAveragePooling2d({ name: "pool", dataFormat: "channelsLast" }).apply(x) as tfjs.SymbolicTensor;
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 99 });
  const outputs = tf.layers.dense({ name: "classes", units: 3, activation: "softmax", kernelInitializer }).apply(x);
  const model = tf.model({ inputs: input, outputs: outputs as tfjs.SymbolicTensor });
  model.compile({ optimizer, loss: "categoricalCrossentropy" });
  const chain = findNetwork("chain");
  return {
    model,
    async step(batchSize) {
      const { xs, ys } = chain.batch(tf, model, batchSize, 7);
      try {
        return (await model.trainOnBatch(xs, ys)) as number;
      } finally {
        tf.dispose([xs, ys]);
      }
    },
    bits: () =>
      model
        .getWeights()
        .map((weight) => Buffer.from(weight.dataSync().slice().buffer).toString("hex"))
        .join(),
    dispose() {
      model.dispose();
      optimizer.dispose();
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<VdnnError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(VdnnError);
    return error as VdnnError;
  }
  throw new Error("expected it to fail");
}

describe("a device budget", () => {
  test("holds at every moment, first iteration included, and the smaller the more moves", async () => {
    let before = -1;
    for (const deviceMemory of [4 * MIB, 1.5 * MIB, 0.75 * MIB]) {
      const { report } = await trained({ deviceMemory, policy: "vdnn-dyn" });
      expect(report.peakDeviceBytes).toBeLessThanOrEqual(deviceMemory);
      const moved = report.iterations.at(-1)?.offloadBytes ?? 0;
      expect(moved).toBeGreaterThanOrEqual(before);
      before = moved;
    }
    expect(before).toBeGreaterThan(0);
  });

  test("gives the same weights as no budget", async () => {
    const free = await trained({ policy: "liveness" });
    const tight = await trained({ deviceMemory: 0.75 * MIB });
    const spilled = await trained({ deviceMemory: 0.75 * MIB, hostMemory: 256 * KIB, spill: true });
    expect(tight.bits).toBe(free.bits);
    expect(spilled.bits).toBe(free.bits);
    expect(spilled.report.peakHostBytes).toBeLessThanOrEqual(256 * KIB);
    expect(spilled.report.peakSpillBytes).toBeGreaterThan(0);
  });

  test("follows its plan from the second iteration of a kind on", async () => {
    const { report } = await trained({ deviceMemory: 1.5 * MIB });
    expect(report.iterations.map(({ mode }) => mode)).toEqual(["recorded", "planned", "planned", "planned"]);
    // The few tensors below 1 KiB that a plan does not bother to free early are the difference.
    const predicted = report.plans[0]?.predictedPeakDeviceBytes ?? Number.NaN;
    expect(Math.abs((report.steadyPeakDeviceBytes ?? 0) - predicted)).toBeLessThan(2 * KIB);
  });

  test("that a plan would fill to the last byte still has room for what the plan does not see", async () => {
    const { report } = await trained({ deviceMemory: 0.75 * MIB });
    const deviceMemory = report.plans[0]?.predictedPeakDeviceBytes ?? Number.NaN;
    const full = await trained({ deviceMemory });
    expect(full.report.plans[0]?.predictedPeakDeviceBytes).toBeLessThan(deviceMemory);
    const last = full.report.iterations.at(-1);
    expect(last?.demandFetches).toBe(0);
    // What is evicted on demand does not come back in the same iteration.
    expect(last?.offloadBytes).toBe(last?.prefetchBytes);
  });

  async function trained(options: VirtualizeOptions) {
    const current = await open(options);
    const run = trainer(tf.train.sgd(0.1));
    for (let i = 0; i < 4; i++) await run.step(16);
    const report = current.report();
    const bits = run.bits();
    run.dispose();
    await current.dispose();
    session = null;
    return { report, bits };
  }
});

describe("when nothing more can leave", () => {
  test("the error tells layer, need, free, capacity, what is live, the smallest feasible budget and remedies", async () => {
    await open({ deviceMemory: 200 * KIB });
    const run = trainer(tf.train.sgd(0.1));
    const error = await failure(run.step(32));
    expect(error.code).toBe("ERR_OUT_OF_MEMORY");
    const { details } = error;
    expect(details["layer"]).toMatch(/^(conv|norm)/);
    expect(details["capacityBytes"]).toBe(200 * KIB);
    expect(details["neededBytes"]).toBeGreaterThan(details["freeBytes"] as number);
    expect(details["smallestFeasibleBytes"]).toBeGreaterThan(200 * KIB);
    expect(details["live"]).toContainEqual(expect.objectContaining({ what: "weights" }));
    expect(details["remedies"]).toContain("lower the batch size");
    expect(error.message).toMatch(/needs .* but .* of 200 KiB is free .* smallest feasible device budget/);
    run.dispose();
  });

  test("the weights and the batch statistics are those before the step, nothing leaks, and a smaller batch trains", async () => {
    const reference = trainer(tf.train.adam(0.01));
    await reference.step(2);
    const expected = reference.bits();
    reference.dispose();

    const current = await open({ deviceMemory: 200 * KIB });
    const run = trainer(tf.train.adam(0.01));
    const before = run.bits();
    const tensors = tf.memory().numTensors;
    const bytes = current.deviceBytes;
    const error = await failure(run.step(32));
    expect(error.code).toBe("ERR_OUT_OF_MEMORY");
    expect(run.bits()).toBe(before);
    expect(tf.memory().numTensors).toBe(tensors);
    // Less when idle variables have left for the host meanwhile.
    expect(current.deviceBytes).toBeLessThanOrEqual(bytes);
    await run.step(2);
    expect(run.bits()).toBe(expected);
    run.dispose();
  });

  test("in the middle of an update, weights and optimizer state are put back", async () => {
    const elements = 16 * 1024;
    const make = (name: string): tfjs.Variable => tf.tidy(() => tf.variable(tf.ones([elements]), true, name));
    const variables = ["rollback/a", "rollback/b", "rollback/c"].map(make);
    const optimizer = tf.train.adam(0.1);
    const loss = (): tfjs.Scalar => variables.reduce<tfjs.Scalar>((sum, v) => sum.add(v.sum()), tf.scalar(0));
    // Three variables of 64 KiB, and beside them not enough for an addition, which has two operands and a result.
    const current = await open({ deviceMemory: 3 * 64 * KIB + 170 * KIB });
    const tensors = tf.memory().numTensors;
    let error: unknown = null;
    try {
      optimizer.minimize(loss, false, variables);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "ERR_OUT_OF_MEMORY" });
    for (const variable of variables) expect(Array.from(variable.dataSync()).every((value) => value === 1)).toBe(true);
    // The gradients of the failed `minimize` are the caller's to lose, as in stock TF.js; optimizer slots are the optimizer's.
    await current.dispose();
    session = null;
    optimizer.minimize(loss, false, variables);
    expect(Math.abs((variables[0]?.dataSync()[0] ?? 0) - 0.9)).toBeLessThan(1e-3);
    expect(tf.memory().numTensors).toBeGreaterThanOrEqual(tensors);
    optimizer.dispose();
    tf.dispose(variables);
  });

  test("a policy that may not offload says which one may", async () => {
    await open({ deviceMemory: 300 * KIB, policy: "liveness" });
    const run = trainer(tf.train.sgd(0.1));
    const error = await failure(run.step(16));
    expect(error.message).toContain("use policy auto");
    run.dispose();
  });
});

describe("plans by signature", () => {
  test("alternating batch sizes are planned each in its own right, and recorded once", async () => {
    const current = await open({ policy: "vdnn-all" });
    const run = trainer(tf.train.sgd(0.1), 4);
    for (const batch of [8, 4, 8, 4, 8, 4]) await run.step(batch);
    const { iterations, plans } = current.report();
    expect(iterations.map(({ mode }) => mode)).toEqual([
      "recorded",
      "deviated",
      "planned",
      "planned",
      "planned",
      "planned",
    ]);
    expect(plans).toHaveLength(2);
    run.dispose();
  });

  test("layer names and kinds come from the model", async () => {
    const current = await open({ policy: "liveness" });
    const run = trainer(tf.train.sgd(0.1), 3);
    await run.step(4);
    const graph = current.graph();
    expect(graph?.layers).toMatchObject({ conv1: "Conv2D", norm: "BatchNormalization", classes: "Dense" });
    const layers = new Set(graph?.kernels.filter(({ pass }) => pass === "backward").map(({ layer }) => layer));
    expect([...layers]).toEqual(expect.arrayContaining(["conv1", "conv2", "conv3", "norm", "classes"]));
    run.dispose();
  });

  test("code without layers gets a layer per op", async () => {
    const current = await open({ policy: "liveness" });
    const x = tf.scalar(3);
    const gradient = tf.grad((v) => v.square().mul(2))(x);
    expect(gradient.dataSync()[0]).toBe(12);
    expect(current.graph()?.kernels.every(({ layer }) => /^[A-Za-z0-9]+_\d+$/.test(layer ?? ""))).toBe(true);
    tf.dispose([x, gradient]);
  });
});

describe("data that is away", () => {
  test("can be read, cloned, disposed and used by the program like any other", async () => {
    const current = await open({ policy: "vdnn-all", adversarial: true });
    const x = tf.tensor1d([1, 2, 3, 4]);
    let kept: tfjs.Tensor | null = null;
    const gradient = tf.grad((v) => {
      kept = tf.keep(v.mul(2));
      return kept.square().sum();
    })(x);
    expect(Array.from((kept as unknown as tfjs.Tensor).dataSync())).toEqual([2, 4, 6, 8]);
    expect(Array.from(await gradient.data())).toEqual([8, 16, 24, 32]);
    const clone = (kept as unknown as tfjs.Tensor).clone();
    (kept as unknown as tfjs.Tensor).dispose();
    expect(Array.from(clone.add(1).dataSync())).toEqual([3, 5, 7, 9]);
    tf.dispose([x, gradient, clone]);
    expect(current.report().iterations).toHaveLength(1);
  });

  test("that was drawn at random and read by the program is what the graph used", async () => {
    const weight = tf.tidy(() => tf.variable(tf.randomNormal([64, 64], 0, 1, "float32", 3)));
    const x = tf.ones([64, 64]);
    const current = await open({ policy: "liveness" });
    const optimizer = tf.train.sgd(1e-6);
    for (let step = 0; step < 3; step++) {
      optimizer.minimize(() => {
        const h = x.matMul(weight) as tfjs.Tensor2D;
        const drawn = tf.multinomial(tf.ones<tfjs.Rank.R2>([1, 100]), 1000, 7 + step);
        const inGraph = drawn.sum();
        const read = [...drawn.dataSync()].reduce((sum, value) => sum + value, 0);
        expect(read).toBe(inGraph.dataSync()[0]);
        return h.mean<tfjs.Scalar>();
      });
    }
    // What is read last is read where it is, and not made again for it.
    expect(current.report().iterations.map(({ demandFetches }) => demandFetches)).toEqual([0, 0, 0]);
    tf.dispose([weight, x]);
  });

  test("is back on the device after dispose", async () => {
    const current = await open({ policy: "vdnn-all", adversarial: true });
    const x = tf.tensor1d([1, 2, 3]);
    const gradient = tf.grad((v) => v.square().sum())(x);
    await current.dispose();
    session = null;
    expect(Array.from(x.dataSync())).toEqual([1, 2, 3]);
    expect(Array.from(gradient.dataSync())).toEqual([2, 4, 6]);
    tf.dispose([x, gradient]);
  });
});

describe("weight gradients under vdnn-all", () => {
  /** Four dense layers of 1 MiB each. */
  function weights(): tfjs.Variable[] {
    return ["a", "b", "c", "d"].map((name, i) =>
      tf.tidy(() => tf.variable(tf.randomNormal([512, 512], 0, 0.05, "float32", i + 1), true, name)),
    );
  }

  async function train(kept: number[][]): Promise<void> {
    const variables = weights();
    const optimizer = tf.train.sgd(0.1);
    const x = tf.ones([4, 512]);
    for (let step = 0; step < 4; step++) {
      const { value, grads } = tf.variableGrads(
        () => tf.tidy(() => variables.reduce((y: tfjs.Tensor, w) => y.matMul(w).tanh(), x).mean<tfjs.Scalar>()),
        variables,
      );
      optimizer.applyGradients(grads);
      // A program may look at its gradients after the update.
      if (step !== 1) kept.push([...((await grads["b"]?.data()) ?? [])].slice(0, 8));
      tf.dispose([value, ...Object.values(grads)]);
    }
    kept.push([...(await variables[0]!.data())].slice(0, 8));
    tf.dispose([...variables, x]);
    optimizer.dispose();
  }

  test("wait for the update on the host, and are the program's to read after it", async () => {
    const expected: number[][] = [];
    await train(expected);
    const found: number[][] = [];
    const current = await open({ policy: "vdnn-all" });
    await train(found);
    expect(found).toEqual(expected);
    const { iterations, steadyPeakDeviceBytes } = current.report();
    expect(iterations.map(({ mode }) => mode)).toEqual(["recorded", "planned", "planned", "planned"]);
    // Four weights, and while one is updated: its gradient, the product with the rate, and its new value.
    expect(steadyPeakDeviceBytes).toBeLessThan(7.5 * MIB);
    expect(iterations.at(-1)?.offloadBytes).toBeGreaterThanOrEqual(3 * MIB);
    // Called back once and left in the vault, they go away the second time without a copy.
    expect(iterations.at(-1)?.offloadBytes).toBeLessThan(4.5 * MIB);
  });
});

describe("a session", () => {
  test("leaves the engine, the optimizers, the layers and the kernels as they were", async () => {
    const snapshot = (): unknown => ({
      engine: Object.keys(tf.engine()).toSorted(),
      adam: tf.AdamOptimizer.prototype.applyGradients,
      apply: (tf.layers as unknown as { Layer: { prototype: { apply: unknown } } }).Layer.prototype.apply,
      identity: tf.getKernel("Identity", "wasm").kernelFunc,
      tensors: tf.memory().numTensors,
    });
    const before = snapshot();
    const current = await open({ deviceMemory: "1MiB", spill: true });
    expect(snapshot()).not.toEqual(before);
    await current.dispose();
    await current.dispose();
    session = null;
    expect(snapshot()).toEqual(before);
  });

  test("refuses a second one on the same engine, and allows one after the other", async () => {
    expect(activeSession(tf)).toBeNull();
    const first = await open({});
    expect(activeSession(tf)).toBe(first);
    expect(await failure(virtualize(tf, {}))).toMatchObject({ code: "ERR_SESSION_ACTIVE" });
    await first.dispose();
    expect(activeSession(tf)).toBeNull();
    await open({});
  });

  test("refuses to train on another backend than its own", async () => {
    await open({});
    await tf.setBackend("cpu");
    try {
      const x = tf.scalar(1);
      expect(() => tf.grad((v) => v.square())(x)).toThrowError(expect.objectContaining({ code: "ERR_BACKEND" }));
      x.dispose();
    } finally {
      await tf.setBackend("wasm");
    }
  });

  test.each([
    [{ policy: "vdnn-al" }, /expected one of none, liveness/],
    [{ deviceMemory: "12 parsecs" }, /deviceMemory: expected a size/],
    [{ deviceMemory: -1 }, /deviceMemory/],
    [{ hostMemory: "0" }, /hostMemory/],
    [{ devicememory: "1GiB" } as VirtualizeOptions, /unknown option "devicememory"/],
  ])("refuses the options %j", async (options, message) => {
    const error = await failure(virtualize(tf, options));
    expect(error.code).toBe("ERR_INVALID_OPTION");
    expect(error.message).toMatch(message);
  });

  test("refuses a TensorFlow.js whose inside it does not know", async () => {
    const other = { ...tf, version_core: "4.23.0" } as unknown as TensorFlow;
    const error = await failure(virtualize(other, {}));
    expect(error.code).toBe("ERR_TFJS_VERSION");
    expect(error.message).toContain("expected TensorFlow.js 4.22.0, got 4.23.0");
  });
});
