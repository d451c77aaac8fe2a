/** The adapter for the backend that TF.js is using. */
import { VdnnError } from "../errors.ts";
import type { Engine, EngineBackend } from "../runtime/engine.ts";
import type { DeviceAdapter } from "./adapter.ts";

/** Makes the adapter of a TF.js backend, by its name; in the order in which errors list them. Some load its code first. */
export type Adapters<A extends DeviceAdapter | Promise<DeviceAdapter> = DeviceAdapter> = Readonly<
  Record<string, (backend: EngineBackend, engine: Engine) => A>
>;

/** @throws VdnnError `ERR_BACKEND` for a backend that vdnn cannot virtualize */
export function adapterFor<A extends DeviceAdapter | Promise<DeviceAdapter>>(engine: Engine, adapters: Adapters<A>): A {
  const make = Object.hasOwn(adapters, engine.backendName) ? adapters[engine.backendName] : undefined;
  if (make !== undefined) return make(engine.backend, engine);
  throw new VdnnError(
    "ERR_BACKEND",
    `backend "${engine.backendName}" cannot be virtualized; expected one of ${Object.keys(adapters).join(", ")} ` +
      "(set it with tf.setBackend before virtualize)",
    { backend: engine.backendName },
  );
}
