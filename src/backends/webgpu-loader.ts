/**
 * WebGPU for this process: what a browser has in `navigator.gpu`, and in Node.js the `webgpu` package (Dawn) put there. TF.js
 * looks for it when its WebGPU backend is loaded, so this comes first.
 */

interface Gpu {
  requestAdapter(): Promise<{ readonly info?: GpuAdapterInfo } | null>;
}

interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

export interface WebGpuAdapter {
  /** Vendor and architecture, such as `google swiftshader`. */
  readonly name: string;
  /** A processor plays the GPU: the same bits, in far more time. */
  readonly isSoftware: boolean;
}

interface WebGpuPackage {
  readonly globals: object;
  readonly create: (options: readonly string[]) => Gpu;
}

/** How the error of a missing adapter begins. */
export const NO_ADAPTER = "no WebGPU adapter was found";

/** How the error of a missing package begins. */
const NO_PACKAGE = "the npm package webgpu is not installed";
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp/i;

/** Dawn loses its devices when the object that they came from is collected. */
let provided: Gpu | null = null;

/**
 * @returns the adapter that TF.js will find
 * @throws Error when there is no WebGPU here, or no adapter behind it
 */
export async function provideWebGpu(): Promise<WebGpuAdapter> {
  const scope = globalThis as { navigator?: { gpu?: Gpu } };
  if (scope.navigator?.gpu === undefined) {
    const { create, globals } = await loadPackage();
    Object.assign(globalThis, globals);
    provided ??= create([]);
    if (scope.navigator === undefined) {
      Object.defineProperty(scope, "navigator", { value: { gpu: provided }, configurable: true, writable: true });
    } else Object.defineProperty(scope.navigator, "gpu", { value: provided, configurable: true });
  }
  const adapter = await scope.navigator?.gpu?.requestAdapter();
  if (adapter === null || adapter === undefined) throw new Error(NO_ADAPTER);
  const { vendor = "", architecture = "", description = "", isFallbackAdapter = false } = adapter.info ?? {};
  const isSoftware = isFallbackAdapter || SOFTWARE.test(`${vendor} ${architecture} ${description}`);
  return { name: `${vendor} ${architecture}`.trim() || description || "an unnamed adapter", isSoftware };
}

async function loadPackage(): Promise<WebGpuPackage> {
  // Not a literal: the package is optional, and neither a compiler nor a bundler for browsers must look for it.
  const name = "webgpu";
  try {
    return (await import(name)) as WebGpuPackage;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(NO_PACKAGE, { cause: error });
  }
}
