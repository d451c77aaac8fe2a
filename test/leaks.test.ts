/** Long training leaves nothing behind: each backend in a process of its own, which can collect garbage. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { LongTraining, SteadyTraining } from "./support/steady-training.ts";
import { whyNoWebGpu } from "./support/webgpu.ts";

const TIMEOUT_MS = 600_000;

async function steadyTraining(training: LongTraining): Promise<SteadyTraining> {
  const script = new URL("support/steady-training.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--import", "tsx", script, JSON.stringify(training)],
    { timeout: TIMEOUT_MS },
  );
  return JSON.parse(stdout) as SteadyTraining;
}

interface Case {
  readonly name: string;
  readonly training: LongTraining;
  /** What V8 compiles late, and results of iterations until the report has as many as it keeps. */
  readonly heapBytesPerStep: number;
  readonly why?: string | undefined;
}

const absent = await whyNoWebGpu();

const CASES: readonly Case[] = [
  // The report's 1,020 iterations are there when the warm-up ends: a result of each step, which has 330 bytes, would be too much.
  { name: "wasm", training: { backend: "wasm", warmUp: 3000, steps: 3000 }, heapBytesPerStep: 128 },
  // More steps than plans are kept. One plan has tens of KiB.
  {
    name: "wasm, a new shape in each step",
    training: { backend: "wasm", warmUp: 200, steps: 400, changesShape: true },
    heapBytesPerStep: 3 * 1024,
  },
  { name: "webgpu", training: { backend: "webgpu", warmUp: 20, steps: 200 }, heapBytesPerStep: 3 * 1024, why: absent },
];

describe.each(CASES)("$name", ({ training, heapBytesPerStep, why }) => {
  test.skipIf(why !== undefined)(
    `${training.steps} steps that offload leave no tensor, buffer or byte behind${why === undefined ? "" : ` (${why})`}`,
    { timeout: TIMEOUT_MS },
    async () => {
      const { before, after, end, offloadBytes } = await steadyTraining(training);
      expect(offloadBytes).toBeGreaterThan(0);
      const { heapBytes, externalBytes, ...counts } = after;
      // What waits in the pool, and in host memory, depends on when copies arrive.
      expect(counts).toEqual({
        ...counts,
        tensors: before.tensors,
        dataBuffers: before.dataBuffers,
        deviceBytes: before.deviceBytes,
      });
      expect(counts.hostBytes).toBeLessThanOrEqual(before.hostBytes * 1.1);
      expect(counts.gpuBuffers).toBeLessThanOrEqual(before.gpuBuffers * 1.1);
      expect(counts.gpuBytes).toBeLessThanOrEqual(before.gpuBytes * 1.1);
      expect(heapBytes - before.heapBytes).toBeLessThan(training.steps * heapBytesPerStep);
      expect(externalBytes - before.externalBytes).toBeLessThan(training.steps * heapBytesPerStep);
      // TF.js's momentum optimizer keeps its factor.
      expect(end).toMatchObject({ tensors: 1, dataBuffers: 1 });
      expect(end.stagingBuffers).toBeLessThanOrEqual(before.stagingBuffers);
    },
  );
});
