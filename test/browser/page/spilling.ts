/** Scenarios of the spill tier in the origin's private file system. */
import * as tf from "@tensorflow/tfjs";
import { type BrowserBackendName, loadTensorFlow, virtualize, type VirtualizeOptions } from "../../../src/browser.ts";

interface Directory {
  keys(): AsyncIterable<string>;
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<Directory>;
}

interface Storage {
  getDirectory(): Promise<Directory>;
}

interface Trained {
  /** Weights under vdnn and by stock TensorFlow.js have the same bits. */
  readonly equal: boolean;
  readonly peakHostBytes: number;
  readonly peakSpillBytes: number;
  /** In the directory while the session lived, and after it. */
  readonly filesDuring: number;
  readonly filesAfter: number;
}

const LAYERS = 8;
const WIDTH = 64;
const BATCH = 256;
const STEPS = 4;

type Minimize = (optimizer: tf.Optimizer, loss: () => tf.Scalar, weights: tf.Variable[]) => Promise<unknown>;

/** A chain of dense layers under Adam; returns the weights after some steps. */
async function train(minimize: Minimize): Promise<Float32Array[]> {
  const seeded = (seed: number, rows = WIDTH): tf.Tensor2D =>
    tf.randomUniform([rows, WIDTH], -0.2, 0.2, "float32", seed);
  const inputs = seeded(1000, BATCH);
  const weights = Array.from({ length: LAYERS }, (_, layer) => tf.tidy(() => tf.variable(seeded(layer))));
  const optimizer = tf.train.adam(0.01);
  const loss = (): tf.Scalar => {
    let x: tf.Tensor2D = inputs;
    for (const weight of weights) x = tf.tanh(tf.matMul(x, weight as tf.Tensor2D));
    return tf.mean(tf.square(x));
  };
  try {
    for (let step = 0; step < STEPS; step++) await minimize(optimizer, loss, weights);
    const values: Float32Array[] = [];
    for (const weight of weights) values.push((await weight.data()) as Float32Array);
    return values;
  } finally {
    optimizer.dispose();
    tf.dispose([inputs, ...weights]);
  }
}

function originStorage(): Partial<Storage> | undefined {
  const { navigator } = globalThis as unknown as { readonly navigator: { readonly storage?: Storage } };
  return navigator.storage;
}

async function filesIn(directory: string): Promise<number> {
  const root = await originStorage()?.getDirectory?.();
  if (root === undefined) throw new Error("this browser has no private file system of the origin");
  let handle = root;
  for (const name of directory.split("/")) handle = await handle.getDirectoryHandle(name, { create: true });
  let count = 0;
  for await (const name of handle.keys()) if (name !== "") count++;
  return count;
}

export const spilling = {
  /** Trains under stock TensorFlow.js and under vdnn with a spill tier. */
  async spill(backend: BrowserBackendName, options: VirtualizeOptions): Promise<Trained> {
    await loadTensorFlow(backend, { tf, wasmPaths: "/wasm/" });
    const directory = typeof options.spill === "string" ? options.spill : "vdnn";
    const expected = await train((optimizer, loss, weights) =>
      Promise.resolve(optimizer.minimize(loss, false, weights)),
    );
    const session = await virtualize(tf, { selfTest: false, ...options });
    const filesDuring = await filesIn(directory);
    const found = await train((optimizer, loss, weights) => session.minimize(optimizer, loss, false, weights)).finally(
      () => session.dispose(),
    );
    const { peakHostBytes, peakSpillBytes } = session.report();
    return {
      equal: found.every((values, i) => values.every((value, at) => Object.is(value, expected[i]?.[at]))),
      peakHostBytes,
      peakSpillBytes,
      filesDuring,
      filesAfter: await filesIn(directory),
    };
  },

  /** Begins a session with a spill tier and leaves it open. Returns the number of files in its directory. */
  async leaveOpen(backend: BrowserBackendName, directory: string): Promise<number> {
    await loadTensorFlow(backend, { tf, wasmPaths: "/wasm/" });
    await virtualize(tf, { selfTest: false, spill: directory });
    return filesIn(directory);
  },

  filesIn,

  hasOriginFiles: (): Promise<boolean> => Promise.resolve(originStorage()?.getDirectory !== undefined),
};
