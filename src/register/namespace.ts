/**
 * Finds the script's own TensorFlow.js. vdnn needs the namespace object, for the optimizer and layer classes in it, but a script
 * loads whatever copy lies in its own node_modules. All copies share one engine; every CommonJS module that was loaded, from ESM
 * too, is in Node.js's module cache. So: the exports in there whose `engine()` is that engine.
 */
import { createRequire } from "node:module";
import { VdnnError } from "../errors.ts";
import { type Engine, type EngineBackend, isVariable, type TensorFlow } from "../runtime/engine.ts";

type Exports = Readonly<Record<string, unknown>>;

interface Candidate {
  readonly file: string;
  readonly exports: Exports;
}

/**
 * @param variable a variable that the script trains; the copy that made it is the one that the script uses. Without one, the copy
 *   that the backend was made for is taken for it
 * @throws VdnnError `ERR_TFJS_NOT_FOUND`
 */
export function findNamespace(engine: Engine, variable: object | undefined): TensorFlow {
  const modules = loadedModules();
  const candidates = modules.filter(({ exports }) => isNamespace(exports, engine));
  const best = candidates.toSorted((a, b) => score(b, engine, variable) - score(a, engine, variable))[0];
  if (best === undefined) {
    throw new VdnnError(
      "ERR_TFJS_NOT_FOUND",
      "this script trains with a TensorFlow.js that no loaded module exports, probably one inside a bundle; leave " +
        "@tensorflow/* out of the bundle, or call attach(tf, options) of vdnn in the script",
      { candidates: modules.length },
    );
  }
  return withLayers(best.exports, modules) as unknown as TensorFlow;
}

/**
 * Makes a training step of another copy of TensorFlow.js an error that says so. A session that has to be awaited changes the models
 * of one copy, and a step that goes past them could only be refused for a reason that is not the script's fault.
 *
 * @param tf the copy that is virtualized
 */
export function refuseOtherCopies(engine: Engine, tf: TensorFlow): void {
  const gradients = engine.gradients.bind(engine);
  engine.gradients = (f, xs, dy, allowNoGradients) => {
    const foreign = (Array.isArray(xs) ? xs : []).some((x) => isVariable(x) && x.constructor !== tf.Variable);
    if (foreign) {
      throw new VdnnError(
        "ERR_TFJS_NOT_FOUND",
        "this script trains with another copy of TensorFlow.js than the one its backend " +
          `${engine.backendName} was made for; install one copy of @tensorflow/tfjs-core (npm ls @tensorflow/tfjs-core shows them)`,
        { backend: engine.backendName },
      );
    }
    return gradients(f, xs, dy, allowNoGradients);
  };
}

function loadedModules(): Candidate[] {
  const cache = createRequire(import.meta.url).cache as Record<string, { exports: unknown } | undefined>;
  return Object.entries(cache).flatMap(([file, loaded]) => {
    const exports = loaded?.exports;
    return typeof exports === "object" && exports !== null ? [{ file, exports: exports as Exports }] : [];
  });
}

function isNamespace(exports: Exports, engine: Engine): boolean {
  try {
    // `engine` is a common name: it is called only where the rest of TensorFlow.js stands around it.
    if (typeof exports["engine"] !== "function" || typeof exports["AdamOptimizer"] !== "function") return false;
    return typeof exports["tidy"] === "function" && (exports["engine"] as () => unknown)() === engine;
  } catch {
    return false;
  }
}

function score({ file, exports }: Candidate, engine: Engine, variable: object | undefined): number {
  const isUsed =
    variable === undefined ? isMadeFor(engine.backend, exports) : variable.constructor === exports["Variable"];
  const hasLayers = exports["layers"] !== undefined;
  return (isUsed ? 4 : 0) + (hasLayers ? 2 : 0) + (/[\\/]tfjs-node(-gpu)?[\\/]/.test(file) ? 1 : 0);
}

function isMadeFor(backend: EngineBackend, { KernelBackend }: Exports): boolean {
  return typeof KernelBackend === "function" && backend instanceof KernelBackend;
}

/** A script that uses tfjs-core and tfjs-layers apart has its models in another module. */
function withLayers(exports: Exports, modules: readonly Candidate[]): Exports {
  if (exports["layers"] !== undefined) return exports;
  for (const { file, exports: other } of modules) {
    if (/[\\/]tfjs-layers[\\/]/.test(file) && other["layers"] !== undefined) {
      return new Proxy(exports, {
        get: (target, name) => Reflect.get(name in target ? target : other, name),
      });
    }
  }
  return exports;
}
