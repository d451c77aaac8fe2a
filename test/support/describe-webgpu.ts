/** Tests on the WebGPU backend in Node.js; skipped, with the reason, where there is no adapter. */
import { beforeAll, describe } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import { whyNoWebGpu } from "./webgpu.ts";

/** For steps on SwiftShader, on a busy machine. */
const TIMEOUT_MS = 300_000;

const absent = await whyNoWebGpu();

/**
 * @param started takes the TensorFlow.js whose backend runs, before the first test
 * @param tests declares them
 */
export function describeOnWebGpu(started: (tf: TensorFlow) => void, tests: () => void): void {
  const title = absent === undefined ? "webgpu" : `webgpu (${absent})`;
  describe.skipIf(absent !== undefined)(title, { timeout: TIMEOUT_MS }, () => {
    beforeAll(async () => started((await loadTensorFlow("webgpu")).tf), TIMEOUT_MS);
    tests();
  });
}
