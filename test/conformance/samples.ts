/** Seeded data for the conformance cases: the same key and shape give the same tensor in every run and on every backend. */
import type { Tensor } from "@tensorflow/tfjs";
import { deriveSeed, mulberry32 } from "../../src/networks/data.ts";
import type { TensorFlow } from "../../src/networks/network.ts";

/** Uniform values in ±`scale`, the same for the same key and shape. */
export function uniform(tf: TensorFlow, key: string | number, shape: readonly number[], scale = 1): Tensor {
  const random = mulberry32(deriveSeed(shape.length, String(key)));
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => (2 * random() - 1) * scale),
    [...shape],
  );
}

/** Uniform integers in `[0, limit)`. */
export function integers(tf: TensorFlow, key: string | number, shape: readonly number[], limit: number): Tensor {
  const random = mulberry32(deriveSeed(limit, String(key)));
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(
    Int32Array.from({ length: size }, () => Math.floor(random() * limit)),
    [...shape],
    "int32",
  );
}

/** One-hot labels `[count, classes]`. */
export function oneHot(tf: TensorFlow, key: string | number, count: number, classes: number): Tensor {
  const random = mulberry32(deriveSeed(classes, String(key)));
  const values = new Float32Array(count * classes);
  for (let i = 0; i < count; i++) values[i * classes + Math.floor(random() * classes)] = 1;
  return tf.tensor2d(values, [count, classes]);
}
