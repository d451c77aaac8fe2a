/**
 * The proofs at attach time. vdnn reaches into TF.js's private parts, so before it touches a user's model it trains a toy model
 * for two steps with and without virtualization and compares bits; and it proves, for this backend, the one algebraic
 * shortcut it takes.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { VdnnError } from "../errors.ts";
import { elementCount, type Engine, type EngineTensor, type TensorFlow, TFJS_VERSION, type Values } from "./engine.ts";

/** @throws VdnnError `ERR_TFJS_VERSION` when the engine is not the one whose inside vdnn knows */
export function checkVersion(tf: TensorFlow): void {
  const found =
    (tf as Partial<TensorFlow>).version_core ?? (tf as Partial<TensorFlow>).version?.["tfjs-core"] ?? "none";
  if (found === TFJS_VERSION) return;
  throw new VdnnError(
    "ERR_TFJS_VERSION",
    `expected TensorFlow.js ${TFJS_VERSION}, got ${found}; install @tensorflow/tfjs@${TFJS_VERSION} (and the same version of ` +
      "tfjs-node or tfjs-node-gpu): vdnn overrides private parts of the engine that other versions may not have",
    { expected: TFJS_VERSION, found },
  );
}

/** Values where a shortcut would go wrong first; the length is odd so that vector and scalar code both run. */
const SPECIAL = [
  Number.NaN,
  0,
  -0,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e-40,
  -1e-40,
  1.5,
  -1.5,
  3e38,
  -3e38,
];
const PROBE_LENGTH = 67;
const STEPS = 2;

export interface ReluProof {
  /** Step(relu(x)) has the bits of Step(x). */
  readonly reluFromOutput: boolean;
  /** Sign(relu(x)) has the bits of Step(x). */
  readonly signIsStep: boolean;
}

/** Compares the masks bit by bit on this backend. */
export function proveRelu(engine: Engine): ReluProof {
  const masks = reluMasks(engine);
  try {
    return compareMasks(masks.map((mask) => bitsOf(engine.readSync(mask.dataId))));
  } finally {
    for (const mask of masks) mask.dispose();
  }
}

/** The same on a backend that cannot be read synchronously. */
export async function proveReluLater(engine: Engine): Promise<ReluProof> {
  const masks = reluMasks(engine);
  try {
    return compareMasks(await Promise.all(masks.map(async (mask) => bitsOf(await engine.read(mask.dataId)))));
  } finally {
    for (const mask of masks) mask.dispose();
  }
}

/** Step(x), Step(relu(x)), Sign(relu(x)). */
function reluMasks(engine: Engine): EngineTensor[] {
  return engine.tidy(() => {
    const values = Float32Array.from({ length: PROBE_LENGTH }, (_, i) => SPECIAL[i % SPECIAL.length] ?? 0);
    const x = engine.makeTensor(values, [PROBE_LENGTH], "float32");
    const run = (name: string, input: EngineTensor, attributes = {}): EngineTensor =>
      engine.runKernel(name, { x: input }, attributes) as EngineTensor;
    const relu = run("Relu", x);
    return [run("Step", x, { alpha: 0 }), run("Step", relu, { alpha: 0 }), run("Sign", relu)];
  });
}

function compareMasks([mask, fromOutput, sign]: readonly string[]): ReluProof {
  return { reluFromOutput: fromOutput === mask, signIsStep: sign === mask };
}

/** Two SGD steps of conv, bias, relu, pooling and a dense layer on 4x4 images; returns the weights' bits. */
export function trainToy(tf: TensorFlow): string {
  const toy = makeToy(tf);
  try {
    for (let step = 0; step < STEPS; step++) toy.optimizer.minimize(toy.loss, false, toy.weights);
    const engine = tf.engine() as unknown as Engine;
    return toy.weights.map((weight) => bitsOf(engine.readSync((weight as unknown as EngineTensor).dataId))).join("/");
  } finally {
    toy.dispose();
  }
}

/** The same where training awaits. @param minimize one step */
export async function trainToyLater(
  tf: TensorFlow,
  minimize: (optimizer: tfjs.Optimizer, loss: () => tfjs.Scalar, weights: tfjs.Variable[]) => unknown,
): Promise<string> {
  const toy = makeToy(tf);
  try {
    for (let step = 0; step < STEPS; step++) await minimize(toy.optimizer, toy.loss, toy.weights);
    const values = await Promise.all(toy.weights.map((weight) => weight.data()));
    return values.map((value) => bitsOf(value as Float32Array)).join("/");
  } finally {
    toy.dispose();
  }
}

interface Toy {
  readonly weights: tfjs.Variable[];
  readonly optimizer: tfjs.Optimizer;
  readonly loss: () => tfjs.Scalar;
  dispose(): void;
}

function makeToy(tf: TensorFlow): Toy {
  const variable = (name: string, shape: number[], scale: number): tfjs.Variable =>
    tf.tidy(() => {
      const size = elementCount(shape);
      return tf.variable(tf.tensor(constant(size, scale), shape), true, `vdnn_self_test/${name}`);
    });
  const filter = variable("filter", [3, 3, 2, 3], 0.4);
  const bias = variable("bias", [3], 0.1);
  const dense = variable("dense", [12, 2], 0.3);
  const weights = [filter, bias, dense];
  const x = tf.tensor4d(constant(64, 1), [2, 4, 4, 2]);
  const target = tf.tensor2d(constant(4, 1), [2, 2]);
  // The wasm backend trains convolutions only with the kernels of `registerWasmTrainingKernels`.
  const trainsConvolutions = tf.getKernel("Conv2DBackpropFilter", tf.getBackend()) !== undefined;
  const convolve = (input: tfjs.Tensor4D): tfjs.Tensor =>
    trainsConvolutions
      ? tf.conv2d(input, filter as never, 1, "same")
      : tf
          .reshape(tf.matMul(tf.reshape(input, [32, 2]), tf.reshape(filter, [2, 27])), [2, 4, 4, 27])
          .slice([0, 0, 0, 0], [2, 4, 4, 3]);
  const optimizer = tf.train.sgd(0.05);
  return {
    weights,
    optimizer,
    loss: () => {
      const map = tf.relu(tf.add(convolve(x), bias)) as never;
      const pooled = tf.reshape(tf.maxPool(map, 2, 2, "valid"), [2, 12]);
      return tf.mean<tfjs.Scalar>(tf.squaredDifference(tf.matMul(pooled, dense as never), target));
    },
    dispose() {
      tf.dispose([...weights, x, target]);
      optimizer.dispose();
    },
  };
}

function constant(length: number, scale: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i + 1) * scale);
}

function bitsOf({ buffer, byteOffset, byteLength }: Values): string {
  return new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength)).join();
}
