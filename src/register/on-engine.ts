/**
 * Notices the script's TensorFlow.js when it is loaded: an accessor on globalThis._tfengine, where every copy of tfjs-core stores
 * the one engine. It becomes a plain property when that happens.
 */
import type { Engine } from "../runtime/engine.ts";

const KEY = "_tfengine";

/** @param found called once, with the engine, as soon as there is one */
export function onEngine(found: (engine: Engine) => void): void {
  const present = (globalThis as Record<string, unknown>)[KEY] as Engine | undefined;
  if (present !== undefined && present !== null) {
    found(present);
    return;
  }
  Object.defineProperty(globalThis, KEY, {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set(engine: Engine) {
      Object.defineProperty(globalThis, KEY, { configurable: true, enumerable: true, writable: true, value: engine });
      found(engine);
    },
  });
}
