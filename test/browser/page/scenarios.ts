/** Everything that a test can ask the page or its worker to do. Arguments and results travel as JSON. */
import * as tf from "@tensorflow/tfjs";
import { type Backend, startBackend } from "./backend.ts";
import { conformance } from "./conformance.ts";
import { hiding } from "./hiding.ts";
import { loading } from "./loading.ts";
import { sessions } from "./sessions.ts";
import { spilling } from "./spilling.ts";
import { webgl } from "./webgl.ts";

export const scenarios = {
  /** Multiplies two small matrices. */
  async multiply(backend: Backend): Promise<number[]> {
    await startBackend(backend);
    const product = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2]));
    return [...(await product.data())];
  },
  ...loading,
  ...conformance,
  ...hiding,
  ...sessions,
  ...spilling,
  ...webgl,
};

export type Scenarios = typeof scenarios;
