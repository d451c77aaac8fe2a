/** The backends that vdnn virtualizes in a browser. */
import { cpuAdapter } from "./cpu.ts";
import type { Adapters } from "./index.ts";
import { wasmAdapter } from "./wasm.ts";
import { webglAdapter } from "./webgl.ts";
import { webgpuAdapter } from "./webgpu.ts";

export const BROWSER_ADAPTERS: Adapters = {
  webgpu: webgpuAdapter,
  webgl: webglAdapter,
  wasm: wasmAdapter,
  cpu: cpuAdapter,
};
