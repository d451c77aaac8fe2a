/** TensorFlow.js with the backends of a browser, one copy per realm. */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { type BrowserBackendName, loadTensorFlow } from "../../../src/browser.ts";

export type Backend = BrowserBackendName;

/** Where the test's server has the wasm backend's files. */
export const WASM_PATHS = "/wasm/";

export async function startBackend(backend: Backend): Promise<void> {
  if (tf.getBackend() !== backend) await loadTensorFlow(backend, { tf, wasmPaths: WASM_PATHS });
}
