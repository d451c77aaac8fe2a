/** Everything that a test can ask the page or its worker to do. Arguments and results travel as JSON. */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { loading } from "./loading.ts";

setWasmPaths("/wasm/");

export const scenarios = {
  /** Sets a backend up and multiplies two small matrices on it; null when it does not start. */
  async multiply(backend: string): Promise<number[] | null> {
    if (!(await tf.setBackend(backend))) return null;
    const product = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2]));
    return [...(await product.data())];
  },
  ...loading,
};

export type Scenarios = typeof scenarios;
