/**
 * Waits for the script's first training step and virtualizes TensorFlow.js then: not before, because nothing is known before (the
 * backend is not chosen, the package not loaded), and not later, because everything after it counts.
 *
 *   preload       an accessor on globalThis._tfengine, where every copy of tfjs-core stores the one engine
 *   script loads  the accessor becomes a plain property; the engine gets an own `gradients`
 *   first step    the own `gradients` goes, `attach` runs, the step goes on under vdnn
 */
import type { Engine, EngineMethods } from "../runtime/engine.ts";

const KEY = "_tfengine";
type Gradients = EngineMethods["gradients"];

/** @param begin called in the first training step, with the variables it trains. If it throws, the step fails with that. */
export function onFirstStep(begin: (engine: Engine, variables: readonly object[]) => void): void {
  const present = (globalThis as Record<string, unknown>)[KEY] as Engine | undefined;
  if (present !== undefined && present !== null) {
    setTrampoline(present, begin);
    return;
  }
  Object.defineProperty(globalThis, KEY, {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set(engine: Engine) {
      Object.defineProperty(globalThis, KEY, { configurable: true, enumerable: true, writable: true, value: engine });
      setTrampoline(engine, begin);
    },
  });
}

function setTrampoline(engine: Engine, begin: (engine: Engine, variables: readonly object[]) => void): void {
  const trampoline: Gradients = (f, xs, dy, allowNoGradients) => {
    Reflect.deleteProperty(engine, "gradients");
    try {
      begin(engine, Array.isArray(xs) ? xs : []);
    } catch (error) {
      // A script that catches this and trains again must not train without vdnn unawares.
      setTrampoline(engine, begin);
      throw error;
    }
    return engine.gradients(f, xs, dy, allowNoGradients);
  };
  Object.defineProperty(engine, "gradients", {
    configurable: true,
    enumerable: false,
    writable: true,
    value: trampoline,
  });
}
