/** Scenarios of loading TensorFlow.js as vdnn does. */
import * as tf from "@tensorflow/tfjs";
import { type BrowserBackendName, loadTensorFlow } from "../../../src/browser.ts";
import { WASM_PATHS } from "./backend.ts";

interface Loaded {
  readonly backend: string;
  readonly failed: readonly string[];
  readonly product: readonly number[];
}

export const loading = {
  /** @param broken backends that do not start */
  async load(backend: BrowserBackendName | null, broken: readonly string[]): Promise<Loaded> {
    const stock = tf.setBackend;
    const fails = (name: string): Promise<boolean> =>
      broken.includes(name) ? Promise.resolve(false) : stock.call(tf, name);
    const loaded = await loadTensorFlow(backend ?? undefined, {
      tf: { ...tf, setBackend: fails },
      wasmPaths: WASM_PATHS,
    });
    const product = await loaded.tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).data();
    return {
      backend: loaded.tf.getBackend(),
      failed: loaded.failures.map((failure) => failure.backend),
      product: [...product],
    };
  },

  /** Starts a backend, or says why it does not start. */
  async start(backend: BrowserBackendName): Promise<{ readonly failures: readonly string[] }> {
    try {
      await loadTensorFlow(backend, { tf, wasmPaths: WASM_PATHS });
      return { failures: [] };
    } catch (error) {
      return { failures: [String(error)] };
    }
  },
};
