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
  const make = makerFor(engine, adapters);
  if (make !== undefined) return make(engine.backend, engine);
  throw new VdnnError(
    "ERR_BACKEND",
    `backend "${engine.backendName}" cannot be virtualized; expected one of ${Object.keys(adapters).join(", ")} ` +
      "(set it with tf.setBackend before virtualize)",
    { backend: engine.backendName },
  );
}

/** The backend that TF.js is using is one of these, and what is done with it has to be awaited. */
export function cannotBlock(engine: Engine, adapters: Adapters): boolean {
  const make = makerFor(engine, adapters);
  return make?.(engine.backend, engine).asynchronous !== undefined;
}

function makerFor<A>({ backendName }: Engine, adapters: Readonly<Record<string, A>>): A | undefined {
  return Object.hasOwn(adapters, backendName) ? adapters[backendName] : undefined;
}
