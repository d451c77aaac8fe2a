import { VdnnError } from "../errors.ts";

/**
 * Note [Two evaluations]
 *
 * WebKit evaluates the entry of a module worker a second time when one of the worker's chunks imports it, and bundlers put into
 * the entry what chunks share. Then there is two of everything: TensorFlow.js registers kernels anew that nobody sets up, and
 * what vdnn throws is no `VdnnError` to the other copy. So the second evaluation is refused. The `import()` that led to it, one
 * of vdnn's, rejects with this error.
 *
 * @param url of the module that is evaluated: a module of one address is evaluated once per realm, but for this
 * @throws VdnnError `ERR_BACKEND` in a worker, the second time
 */
export function refuseSecondEvaluation(url: string | undefined, realm: object = globalThis): void {
  // In pages it does not happen, and development servers load modules anew. Classic scripts have no address, and are no modules.
  if (url === undefined || !("importScripts" in realm)) return;
  const key = Symbol.for(`vdnn ${url}`);
  if (key in realm) {
    throw new VdnnError(
      "ERR_BACKEND",
      "this browser evaluated the worker's entry twice, because one of its chunks imports it, so vdnn and TensorFlow.js are there " +
        'twice; let the entry be `import("./training.js")` alone, and move what it holds there',
      { url },
    );
  }
  Object.assign(realm, { [key]: true });
}
