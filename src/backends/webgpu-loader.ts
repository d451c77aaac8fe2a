/**
 * WebGPU for this process: what a browser has in `navigator.gpu`, and in Node.js the `webgpu` package (Dawn) put there. TF.js
 * looks for it when its WebGPU backend is loaded, so this comes first.
 */

interface Gpu {
  requestAdapter(): Promise<object | null>;
}

interface WebGpuPackage {
  readonly globals: object;
  readonly create: (options: readonly string[]) => Gpu;
}

/** How the error of a missing adapter begins. */
export const NO_ADAPTER = "no WebGPU adapter was found";

/** Dawn loses its devices when the object that they came from is collected. */
let provided: Gpu | null = null;

/** @throws Error when there is no WebGPU here, or no adapter behind it */
export async function provideWebGpu(): Promise<void> {
  const scope = globalThis as { navigator?: { gpu?: Gpu } };
  if (scope.navigator?.gpu === undefined) {
    // Not a literal: the package is optional, and a bundler for browsers must not look for it.
    const name = "webgpu";
    const { create, globals } = (await import(name)) as WebGpuPackage;
    Object.assign(globalThis, globals);
    provided ??= create([]);
    if (scope.navigator === undefined) {
      Object.defineProperty(scope, "navigator", { value: { gpu: provided }, configurable: true, writable: true });
    } else Object.defineProperty(scope.navigator, "gpu", { value: provided, configurable: true });
  }
  if ((await scope.navigator?.gpu?.requestAdapter()) !== null) return;
  throw new Error(NO_ADAPTER);
}
