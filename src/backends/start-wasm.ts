/** What a page loads for the wasm backend: TensorFlow.js's package for it, and the kernels that training needs. */
import type { TensorFlow } from "../runtime/engine.ts";
import type { BrowserLoadOptions } from "./load-browser.ts";

export { registerWasmTrainingKernels } from "./wasm-kernels.ts";

interface WasmPackage {
  setWasmPaths(this: void, paths: string | Record<string, string>): void;
}

/** Before the backend is set. */
export async function prepareWasm(tf: TensorFlow, { wasmPaths }: BrowserLoadOptions): Promise<void> {
  if ((tf.findBackendFactory("wasm") ?? null) !== null && wasmPaths === undefined) return;
  // Script tags put the package there.
  const { wasm } = tf as unknown as { readonly wasm?: WasmPackage };
  const { setWasmPaths } = wasm ?? (await import("@tensorflow/tfjs-backend-wasm"));
  if (wasmPaths !== undefined) setWasmPaths(typeof wasmPaths === "string" ? wasmPaths : { ...wasmPaths });
}
