/**
 * A backend that is there and that only vdnn may use yet. While a session begins or ends on a backend that has to be awaited, the
 * script meets what TensorFlow.js itself does while such a backend starts: an error that says what to await.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { VdnnError } from "../errors.ts";
import type { Engine, EngineBackend } from "../runtime/engine.ts";

/** Set in what `holdBackend` runs, through every await in it. */
const inside = new AsyncLocalStorage<true>();

/** This code runs for vdnn, in `holdBackend`. */
export function isInside(): boolean {
  return inside.getStore() === true;
}

/** Runs `work` while nobody else can use the engine's backend. Only one at a time. */
export async function holdBackend<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  // On the prototype, as an own property that comes and goes would make the engine's every other property slow.
  const prototype = Object.getPrototypeOf(engine) as object;
  const stock = Object.getOwnPropertyDescriptor(prototype, "backend") as PropertyDescriptor;
  Object.defineProperty(prototype, "backend", {
    ...stock,
    get(this: Engine) {
      if (!isInside()) throw notYet(this);
      return stock.get?.call(this) as EngineBackend;
    },
  });
  try {
    return await inside.run(true, work);
  } finally {
    Object.defineProperty(prototype, "backend", stock);
    // What is tracked for it costs every promise of the process.
    inside.disable();
  }
}

function notYet({ backendName }: Engine): VdnnError {
  return new VdnnError(
    "ERR_BACKEND",
    `vdnn is still at work on backend "${backendName}"; \`await tf.setBackend("${backendName}")\` or \`await tf.ready()\` before ` +
      "any other call of TensorFlow.js",
    { backend: backendName },
  );
}
