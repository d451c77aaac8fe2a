/**
 * Images with a class each, in typed arrays: what a data set is to everything that trains or measures on one. Tensors are made
 * from it batch by batch, so a data set costs one byte a pixel and no device memory.
 */
import type { Batch, TensorFlow } from "../networks/network.ts";
import { mulberry32 } from "../networks/data.ts";
import { VdnnError } from "../errors.ts";

/** Grey images of one size. */
export interface LabeledImages {
  readonly count: number;
  /** In pixels. */
  readonly height: number;
  readonly width: number;
  /** Labels are below this. */
  readonly classes: number;
  /** `count * height * width`, row by row; 0 is black paper, 255 white ink, as in MNIST. */
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** What is trained on, and what is kept aside to measure on. */
export interface DataSplit {
  readonly train: LabeledImages;
  readonly test: LabeledImages;
}

const WHITE = 255;

/**
 * @param source what the data is, for the message
 * @throws VdnnError `ERR_INVALID_DATA` for an empty set, an array that is not as long as it should be, a label out of range
 */
export function checkImages(images: LabeledImages, source: string): void {
  const { count, height, width, classes, pixels, labels } = images;
  if (count < 1) throw invalidData(source, "expected at least one image, got none");
  if (labels.length !== count) {
    throw invalidData(source, `expected one label for each of ${count} images, got ${labels.length} labels`);
  }
  if (pixels.length !== count * height * width) {
    throw invalidData(
      source,
      `expected ${count} images of ${height}x${width}, ${count * height * width} pixels, got ${pixels.length}`,
    );
  }
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw invalidData(source, `expected labels from 0 to ${classes - 1}, got ${labels[wrong]} for image ${wrong}`);
  }
}

export function invalidData(source: string, rule: string, cause?: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_DATA", `${source}: ${rule}`, { source }, cause === undefined ? {} : { cause });
}

/** Images `from` up to, not including, `to`, over the same memory. */
export function slice(images: LabeledImages, from: number, to: number): LabeledImages {
  const { height, width, classes, pixels, labels, count } = images;
  const end = Math.min(to, count);
  const size = height * width;
  return {
    count: Math.max(0, end - from),
    height,
    width,
    classes,
    pixels: pixels.subarray(from * size, end * size),
    labels: labels.subarray(from, end),
  };
}

/** Indices 0 to `count` - 1 in an order that the seed decides (Fisher and Yates). */
export function shuffledOrder(count: number, seed: number): Uint32Array {
  const random = mulberry32(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const index = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = index;
  }
  return order;
}

/** Images `[indices, height, width, 1]` in [0, 1], labels one-hot. The caller disposes both tensors. */
export function batchOf(tf: TensorFlow, images: LabeledImages, indices: Uint32Array): Batch {
  const { height, width, classes, pixels, labels } = images;
  const size = height * width;
  const xs = new Float32Array(indices.length * size);
  const ys = new Float32Array(indices.length * classes);
  for (const [sample, index] of indices.entries()) {
    const from = index * size;
    for (let pixel = 0; pixel < size; pixel++) xs[sample * size + pixel] = (pixels[from + pixel] ?? 0) / WHITE;
    ys[sample * classes + (labels[index] ?? 0)] = 1;
  }
  return {
    xs: tf.tensor4d(xs, [indices.length, height, width, 1]),
    ys: tf.tensor2d(ys, [indices.length, classes]),
  };
}

/** The images in the order of `order`, `batchSize` at a time; what is left over at the end is a smaller batch. */
export function* batches(order: Uint32Array, batchSize: number): Generator<Uint32Array> {
  for (let from = 0; from < order.length; from += batchSize) yield order.subarray(from, from + batchSize);
}
