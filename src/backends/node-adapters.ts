/** The backends that vdnn virtualizes in Node.js. */
import { cpuAdapter } from "./cpu.ts";
import type { Adapters } from "./index.ts";
import { tensorflowAdapter } from "./tensorflow.ts";
import { wasmAdapter } from "./wasm.ts";
import { webgpuAdapter } from "./webgpu.ts";

export const NODE_ADAPTERS: Adapters = {
  tensorflow: tensorflowAdapter,
  webgpu: webgpuAdapter,
  wasm: wasmAdapter,
  cpu: cpuAdapter,
};
