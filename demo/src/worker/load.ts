/**
 * TensorFlow.js on the first backend that starts, everything from this page's own files. On wasm the kernels that training lacks are
 * vdnn's, in all runs alike, or the comparison would be one of kernels.
 */
import wasmPlain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import wasmSimd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import { loadTensorFlow, type TensorFlow, VdnnError } from "vdnn";
import type { BackendName } from "../protocol.ts";

export interface Loaded {
  readonly tf: TensorFlow;
  readonly backend: BackendName;
  /** Why the backends before it did not start. */
  readonly skipped: readonly string[];
}

const WASM_PATHS = {
  "tfjs-backend-wasm.wasm": new URL(wasmPlain, import.meta.url).href,
  "tfjs-backend-wasm-simd.wasm": new URL(wasmSimd, import.meta.url).href,
  // Asked for by name, and not loaded without threads.
  "tfjs-backend-wasm-threaded-simd.wasm": new URL(wasmSimd, import.meta.url).href,
};

/** @throws VdnnError `ERR_BACKEND` with every reason when none starts */
export async function loadFirst(backends: readonly BackendName[]): Promise<Loaded> {
  const skipped: string[] = [];
  for (const backend of backends) {
    try {
      return { tf: await load(backend), backend, skipped };
    } catch (error) {
      skipped.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new VdnnError("ERR_BACKEND", skipped.join("; ") || "this browser offers no backend", { skipped });
}

async function load(backend: BackendName): Promise<TensorFlow> {
  const tf = await import("@tensorflow/tfjs");
  if (backend !== "wasm") {
    await loadTensorFlow(backend, { tf });
    return tf;
  }
  await import("@tensorflow/tfjs-backend-wasm");
  // One thread everywhere: threads need headers that a static host may not send.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await loadTensorFlow(backend, { tf, wasmPaths: WASM_PATHS, wasmKernels: { fastInputGradient: true } });
  return tf;
}
