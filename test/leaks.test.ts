/** Long training leaves nothing behind: each backend in a process of its own, which can collect garbage. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { SteadyTraining } from "./support/steady-training.ts";
import { whyNoWebGpu } from "./support/webgpu.ts";

const STEPS = 200;
const TIMEOUT_MS = 600_000;
/** Results of iterations, and code that V8 compiles late. Anything that a step left behind would be more. */
const HEAP_BYTES_PER_STEP = 6 * 1024;

async function steadyTraining(backend: string): Promise<SteadyTraining> {
  const script = new URL("support/steady-training.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--import", "tsx", script, backend, String(STEPS)],
    { timeout: TIMEOUT_MS },
  );
  return JSON.parse(stdout) as SteadyTraining;
}

const absent = await whyNoWebGpu();

describe.each([
  { backend: "wasm", why: undefined },
  { backend: "webgpu", why: absent },
])("$backend", ({ backend, why }) => {
  test.skipIf(why !== undefined)(
    `${STEPS} steps that offload leave no tensor, buffer or byte behind${why === undefined ? "" : ` (${why})`}`,
    { timeout: TIMEOUT_MS },
    async () => {
      const { before, after, end, offloadBytes } = await steadyTraining(backend);
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
      expect(heapBytes - before.heapBytes).toBeLessThan(STEPS * HEAP_BYTES_PER_STEP);
      expect(externalBytes - before.externalBytes).toBeLessThan(STEPS * HEAP_BYTES_PER_STEP);
      // TF.js's momentum optimizer keeps its factor.
      expect(end).toMatchObject({ tensors: 1, dataBuffers: 1 });
      expect(end.stagingBuffers).toBeLessThanOrEqual(before.stagingBuffers);
    },
  );
});
