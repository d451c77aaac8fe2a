/**
 * Generated training data. Images are uniform noise on top of a pattern that belongs to the class, sequences are random
 * tokens among which the class has its favourites, so the loss really falls. Made in typed arrays by a small seeded
 * generator: TensorFlow.js's own random ops depend on the backend.
 */
import type { LayersModel } from "@tensorflow/tfjs";
import type { Batch, TensorFlow } from "./network.ts";

/** Side of the square pattern that a class repeats over its images, in pixels. */
const PATTERN_SIDE = 8;

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, floats in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed for one named part of something that has a seed of its own (FNV-1a); 31 bits, never 0. */
export function deriveSeed(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 1) + 1;
}

/** Images `[batchSize, height, width, channels]` in [-1, 1], labels one-hot. */
export function imageBatch(tf: TensorFlow, model: LayersModel, batchSize: number, seed = 1): Batch {
  const [height, width, channels] = dimensions(model.inputs[0]?.shape);
  const [classes] = dimensions(model.outputs[0]?.shape);
  const random = mulberry32(seed);
  const xs = new Float32Array(batchSize * height * width * channels);
  const labels = drawLabels(random, batchSize, classes);
  let at = 0;
  for (const label of labels) {
    const pattern = classPattern(label, channels);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const cell = ((y % PATTERN_SIDE) * PATTERN_SIDE + (x % PATTERN_SIDE)) * channels;
        for (let c = 0; c < channels; c++) xs[at++] = 0.5 * (pattern[cell + c] ?? 0) + random() - 0.5;
      }
    }
  }
  return { xs: tf.tensor4d(xs, [batchSize, height, width, channels]), ys: oneHot(tf, labels, classes) };
}

/** Tokens `[batchSize, length]` as int32, labels one-hot. Half of the tokens are one of four that the class prefers. */
export function tokenBatch(tf: TensorFlow, model: LayersModel, batchSize: number, vocabulary: number, seed = 1): Batch {
  const [length] = dimensions(model.inputs[0]?.shape);
  const [classes] = dimensions(model.outputs[0]?.shape);
  const random = mulberry32(seed);
  const xs = new Int32Array(batchSize * length);
  const labels = drawLabels(random, batchSize, classes);
  let at = 0;
  for (const label of labels) {
    for (let step = 0; step < length; step++) {
      const preferred = random() < 0.5;
      const token = preferred ? label * 4 + Math.floor(random() * 4) : Math.floor(random() * vocabulary);
      xs[at++] = token % vocabulary;
    }
  }
  return { xs: tf.tensor2d(xs, [batchSize, length], "int32"), ys: oneHot(tf, labels, classes) };
}

function classPattern(label: number, channels: number): Float32Array {
  const random = mulberry32(deriveSeed(label, "pattern"));
  return Float32Array.from({ length: PATTERN_SIDE * PATTERN_SIDE * channels }, () => 2 * random() - 1);
}

function drawLabels(random: () => number, batchSize: number, classes: number): number[] {
  return Array.from({ length: batchSize }, () => Math.floor(random() * classes));
}

function oneHot(tf: TensorFlow, labels: readonly number[], classes: number): Batch["ys"] {
  const values = new Float32Array(labels.length * classes);
  for (const [sample, label] of labels.entries()) values[sample * classes + label] = 1;
  return tf.tensor2d(values, [labels.length, classes]);
}

/** The sizes of a model's input or output without the batch dimension. */
function dimensions(shape: readonly (number | null)[] | undefined): [number, number, number] {
  const [first = 1, second = 1, third = 1] = (shape ?? []).slice(1).map((size) => size ?? 1);
  return [first, second, third];
}
