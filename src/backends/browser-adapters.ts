/** The backends that vdnn virtualizes in a browser. WebGPU is the one to expect; the code of another is loaded when a page uses it. */
import type { DeviceAdapter } from "./adapter.ts";
import type { Adapters } from "./index.ts";
import { webgpuAdapter } from "./webgpu.ts";

export const BROWSER_ADAPTERS: Adapters<DeviceAdapter | Promise<DeviceAdapter>> = {
  webgpu: webgpuAdapter,
  webgl: async (backend, engine) => (await import("./webgl.ts")).webglAdapter(backend, engine),
  wasm: async (backend) => (await import("./wasm.ts")).wasmAdapter(backend),
  cpu: async (backend) => (await import("./cpu.ts")).cpuAdapter(backend),
};
