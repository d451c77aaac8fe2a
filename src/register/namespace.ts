/**
 * Finds the script's own TensorFlow.js. vdnn needs the namespace object, for the optimizer and layer classes in it, but a script
 * loads whatever copy lies in its own node_modules. All copies share one engine; every CommonJS module that was loaded, from ESM
 * too, is in Node.js's module cache. So: the exports in there whose `engine()` is that engine.
 */
import { createRequire } from "node:module";
import { VdnnError } from "../errors.ts";
import type { Engine, TensorFlow } from "../runtime/engine.ts";

type Exports = Readonly<Record<string, unknown>>;

interface Candidate {
  readonly file: string;
  readonly exports: Exports;
}

/**
 * @param variable a variable that the script trains; the copy that made it is the one that the script uses
 * @throws VdnnError `ERR_TFJS_NOT_FOUND`
 */
export function findNamespace(engine: Engine, variable: object | undefined): TensorFlow {
  const modules = loadedModules();
  const candidates = modules.filter(({ exports }) => isNamespace(exports, engine));
  const best = candidates.toSorted((a, b) => score(b, variable) - score(a, variable))[0];
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

function score({ file, exports }: Candidate, variable: object | undefined): number {
  const made = variable !== undefined && variable.constructor === exports["Variable"] ? 4 : 0;
  return made + (exports["layers"] === undefined ? 0 : 2) + (/[\\/]tfjs-node(-gpu)?[\\/]/.test(file) ? 1 : 0);
}

/** A script that uses tfjs-core and tfjs-layers apart has its layers in another module. */
function withLayers(exports: Exports, modules: readonly Candidate[]): Exports {
  if (exports["layers"] !== undefined) return exports;
  for (const { file, exports: other } of modules) {
    if (/[\\/]tfjs-layers[\\/]/.test(file) && other["layers"] !== undefined) {
      return new Proxy(exports, {
        get: (target, name) => (name === "layers" ? other["layers"] : Reflect.get(target, name)),
      });
    }
  }
  return exports;
}
