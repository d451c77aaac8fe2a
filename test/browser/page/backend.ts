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

/**
 * One that is recorded, one that follows the first plan, one that follows the calibrated one. On WebGL weights lie otherwise in
 * their textures after the first update, so that the second is recorded too.
 */
export function stepsOn(backend: Backend): number {
  return backend === "webgl" ? 4 : 3;
}
