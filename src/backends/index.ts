/** The adapter for the backend that TF.js is using. */
import { VdnnError } from "../errors.ts";
import type { Engine, EngineBackend } from "../runtime/engine.ts";
import type { DeviceAdapter } from "./adapter.ts";
import { cpuAdapter } from "./cpu.ts";
import { tensorflowAdapter } from "./tensorflow.ts";
import { wasmAdapter } from "./wasm.ts";
import { webgpuAdapter } from "./webgpu.ts";

const ADAPTERS: Readonly<Record<string, (backend: EngineBackend) => DeviceAdapter>> = {
  tensorflow: tensorflowAdapter,
  webgpu: webgpuAdapter,
  wasm: wasmAdapter,
  cpu: cpuAdapter,
};

/** @throws VdnnError `ERR_BACKEND` for a backend that vdnn cannot virtualize */
export function adapterFor(engine: Engine): DeviceAdapter {
  const make = ADAPTERS[engine.backendName];
  if (make !== undefined) return make(engine.backend);
  throw new VdnnError(
    "ERR_BACKEND",
    `backend "${engine.backendName}" cannot be virtualized; expected one of ${Object.keys(ADAPTERS).join(", ")} ` +
      "(set it with tf.setBackend before virtualize)",
    { backend: engine.backendName },
  );
}
