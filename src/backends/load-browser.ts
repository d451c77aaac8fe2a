/**
 * Finds and starts a TensorFlow.js backend in a browser. Packages are imported when they are tried, so a page loads only what it
 * uses: a bundler makes a chunk of each, and without a bundler an import map says where they are.
 */
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import { BROWSER_ADAPTERS } from "./browser-adapters.ts";
import type { WasmKernelOptions } from "./wasm-kernels.ts";

/** The order in which the default is chosen: fastest first. */
export type BrowserBackendName = "webgpu" | "webgl" | "wasm" | "cpu";

export interface BrowserLoadOptions {
  /**
   * A TensorFlow.js that the page has loaded already, by `import` or by script tags. Backends that are registered with it are
   * used as they are. Default: `import("@tensorflow/tfjs")`.
   */
  readonly tf?: TensorFlow;
  /**
   * Where the wasm backend's `.wasm` files are served: their folder with a slash at the end, or a URL for each by file name, as
   * `setWasmPaths` takes them. Default: beside the script that runs.
   */
  readonly wasmPaths?: string | Readonly<Record<string, string>>;
  /** How the kernels are registered that the wasm backend lacks for training. */
  readonly wasmKernels?: WasmKernelOptions;
}

export interface BackendFailure {
  readonly backend: string;
  readonly reason: string;
}

export interface LoadedInBrowser {
  readonly tf: TensorFlow;
  readonly backend: BrowserBackendName;
  /** Backends that were tried before and did not start, with reasons. */
  readonly failures: readonly BackendFailure[];
}

interface Gpu {
  requestAdapter(): Promise<object | null>;
}

const BACKENDS = Object.keys(BROWSER_ADAPTERS) as readonly BrowserBackendName[];

/**
 * Loads TensorFlow.js on the given backend, or on the first of webgpu, webgl, wasm and cpu that starts.
 *
 * @throws VdnnError `ERR_BACKEND` with the reason, or with the reasons of all; the backend is the one before
 */
export async function loadTensorFlow(
  backend?: BrowserBackendName,
  options: BrowserLoadOptions = {},
): Promise<LoadedInBrowser> {
  const names = backend === undefined ? BACKENDS : [backend];
  const tf = options.tf ?? (await importTensorFlow());
  const before = tf.getBackend() as string | undefined;
  const failures: BackendFailure[] = [];
  for (const name of names) {
    try {
      await start(tf, name, options);
      return { tf, backend: name, failures };
    } catch (error) {
      failures.push({ backend: name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  // After one that does not start, TensorFlow.js has none.
  if (before) await tf.setBackend(before);
  throw new VdnnError(
    "ERR_BACKEND",
    `no TensorFlow.js backend starts here: ${failures.map((failure) => `${failure.backend}: ${failure.reason}`).join("; ")}`,
    { failures },
  );
}

async function importTensorFlow(): Promise<TensorFlow> {
  try {
    return await import("@tensorflow/tfjs");
  } catch (cause) {
    throw new VdnnError(
      "ERR_BACKEND",
      "@tensorflow/tfjs does not load; install it, say where it is with an import map, or hand over the one that the page has loaded " +
        "with the option `tf`",
      {},
      { cause },
    );
  }
}

async function start(tf: TensorFlow, backend: BrowserBackendName, options: BrowserLoadOptions): Promise<void> {
  if (!BACKENDS.includes(backend)) throw new Error(`unknown; expected one of ${BACKENDS.join(", ")}`);
  if (backend === "webgpu") await prepareWebGpu(tf);
  const wasm = backend === "wasm" ? await import("./start-wasm.ts") : null;
  await wasm?.prepareWasm(tf, options);
  if (!(await tf.setBackend(backend))) throw new Error(WHY_NOT[backend]);
  wasm?.registerWasmTrainingKernels(tf, options.wasmKernels);
}

/** What is known when TensorFlow.js, which writes the error to the console, only says that it failed. */
const WHY_NOT: Readonly<Record<BrowserBackendName, string>> = {
  webgpu: "TensorFlow.js gets no device from the WebGPU adapter; the console says why",
  webgl: "there is no WebGL context, or it lacks float textures; the console says why",
  wasm: "its .wasm files do not load; say where they are served with the option `wasmPaths`",
  cpu: "@tensorflow/tfjs brings no cpu backend; import the whole package, not tfjs-core",
};

async function prepareWebGpu(tf: TensorFlow): Promise<void> {
  const { gpu } = (globalThis as unknown as { readonly navigator: { readonly gpu?: Gpu } }).navigator;
  if (gpu === undefined) {
    throw new Error("this browser has no WebGPU, or keeps it to secure contexts (https, or localhost)");
  }
  if ((await gpu.requestAdapter()) === null) throw new Error("the browser offers no WebGPU adapter for this machine");
  if ((tf.findBackendFactory("webgpu") ?? null) === null) await import("@tensorflow/tfjs-backend-webgpu");
}
