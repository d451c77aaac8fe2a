/** A spill tier that can only be awaited, under the WebGPU backend: what a browser has, with Node.js's files behind it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as tfjs from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { NODE_ADAPTERS } from "../../src/backends/node-adapters.ts";
import { performCopy } from "../../src/memory/file-copy.ts";
import { HostPool } from "../../src/memory/host-pool.ts";
import { HostVault } from "../../src/memory/host-vault.ts";
import { QueueStream } from "../../src/memory/queue-stream.ts";
import { ARRAY_SEGMENTS } from "../../src/memory/segments.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";
import { SpillVault } from "../../src/memory/spill-vault.ts";
import { findPolicy } from "../../src/plan/policies/index.ts";
import type { SessionReport } from "../../src/report/result.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import type { Platform } from "../../src/runtime/platform.ts";
import { Tracer } from "../../src/runtime/tracer.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import { virtualizeOn } from "../../src/runtime/virtualize.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";

const why = await whyNoWebGpu();
let directory: string;

const PLATFORM: Platform = {
  adapters: NODE_ADAPTERS,
  temporaryDirectory: () => directory,
  policyNamed: findPolicy,
  makeTracer: (options) => new Tracer(options),
  makeVault({ hostBytes, spillDirectory, now }) {
    const pool = new HostPool({ capacityBytes: hostBytes, segments: ARRAY_SEGMENTS });
    if (spillDirectory === null) return new HostVault(pool);
    const spill = SpillFile.create({ directory: spillDirectory, direct: false });
    const stream = (name: string) => new QueueStream({ name, perform: performCopy(spill) });
    return new SpillVault({ pool, spill, offloadStream: stream("offload"), prefetchStream: stream("prefetch"), now });
  },
};

const LAYERS = 6;
const WIDTH = 64;
const BATCH = 128;
const STEPS = 6;

type Minimize = (optimizer: tfjs.Optimizer, loss: () => tfjs.Scalar, weights: tfjs.Variable[]) => Promise<unknown>;

describe.skipIf(why !== undefined)("a spill tier that has to be awaited", () => {
  let tf: TensorFlow;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "vdnn-awaited-"));
    ({ tf } = await loadTensorFlow("webgpu"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** A chain of dense layers under Adam. @returns the bytes of weights and optimizer state, read when `end` has resolved */
  async function train(minimize: Minimize, end: () => Promise<void>): Promise<Buffer[]> {
    const inputs = tf.randomUniform<tfjs.Rank.R2>([BATCH, WIDTH], -1, 1, "float32", 1000);
    const weights = Array.from({ length: LAYERS }, (_, layer) =>
      tf.tidy(() => tf.variable(tf.randomUniform<tfjs.Rank.R2>([WIDTH, WIDTH], -0.2, 0.2, "float32", layer))),
    );
    const optimizer = tf.train.adam(0.01);
    const loss = (): tfjs.Scalar => {
      let x: tfjs.Tensor2D = inputs;
      for (const weight of weights) x = tf.tanh(tf.matMul(x, weight));
      return tf.mean(tf.square(x));
    };
    for (let step = 0; step < STEPS; step++) await minimize(optimizer, loss, weights);
    await end();
    const state = await optimizer.getWeights();
    const tensors = [...weights, ...state.map(({ tensor }) => tensor)];
    const values: Buffer[] = [];
    for (const tensor of tensors) values.push(Buffer.from(Uint8Array.from(Buffer.from((await tensor.data()).buffer))));
    optimizer.dispose();
    tf.dispose([inputs, ...weights]);
    return values;
  }

  async function underVdnn(options: VirtualizeOptions): Promise<{ found: Buffer[]; report: SessionReport }> {
    const session = await virtualizeOn(PLATFORM, tf, { selfTest: false, spill: true, ...options });
    const found = await train(
      (optimizer, loss, weights) => session.minimize(optimizer, loss, false, weights),
      () => session.dispose(),
    );
    return { found, report: session.report() };
  }

  it.each([
    ["host memory that is full again and again", { policy: "vdnn-all", hostMemory: "560KiB" }],
    ["a device budget", { hostMemory: "560KiB", deviceMemory: "900KiB" }],
  ])("trains with the same bits under %s, and brings everything back", async (_name, options: VirtualizeOptions) => {
    const expected = await train(
      async (optimizer, loss, weights) => optimizer.minimize(loss, false, weights),
      () => Promise.resolve(),
    );
    const { found, report } = await underVdnn(options);
    expect(found.every((values, i) => values.equals(expected[i]!))).toBe(true);
    expect(report.peakHostBytes).toBeLessThanOrEqual(560 * 1024);
    if (options.policy !== "vdnn-all") return;
    expect(report.peakSpillBytes).toBeGreaterThan(0);
    expect(report.iterations.some(({ spillReadBytes }) => spillReadBytes > 0)).toBe(true);
  });
});
