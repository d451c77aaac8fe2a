/** `--input FILE`: samples from a file instead of generated ones, images in MNIST's IDX format or any array as `.npy`. */
import { readFileSync } from "node:fs";
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { parseIdx } from "../data/idx.ts";
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "../networks/network.ts";
import { type NumberArray, parseNpy } from "../networks/npy.ts";

/** White in an IDX file; networks see 0 to 1. */
const WHITE = 255;

/**
 * The first `batch` samples.
 *
 * @throws VdnnError `ERR_INVALID_DATA` for a file that cannot be used, or samples of another shape than the model's input
 */
export function inputFromFile(tf: TensorFlow, model: LayersModel, file: string, batch: number): Tensor {
  const { shape, values } = readArray(file);
  const [input, second] = model.inputs;
  if (input === undefined || second !== undefined) {
    throw invalid(file, `a file is one input, and ${model.name} has ${model.inputs.length}`);
  }
  const wanted = input.shape.slice(1);
  const [samples = 0, ...sides] = shape;
  // Grey images have no axis for their one channel.
  const got = sides.length === wanted.length - 1 && wanted.at(-1) === 1 ? [...sides, 1] : sides;
  if (got.length !== wanted.length || got.some((side, axis) => wanted[axis] !== null && wanted[axis] !== side)) {
    throw invalid(file, `expected samples of [${wanted.join(", ")}] for ${model.name}, got [${sides.join(", ")}]`);
  }
  if (samples < batch) throw invalid(file, `has ${samples} samples, but the batch is ${batch}; lower --batch`);
  const size = got.reduce((product, side) => product * side, 1);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) throw invalid(file, `value ${bad} is ${values[bad]}; expected finite numbers`);
  return tf.tensor(values.slice(0, batch * size), [batch, ...got], input.dtype === "int32" ? "int32" : "float32");
}

function readArray(file: string): NumberArray {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw invalid(file, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (/\.npy$/i.test(file)) return parseNpy(bytes, file);
  const { shape, values } = parseIdx(bytes, file);
  return { shape, values: Float32Array.from(values, (pixel) => pixel / WHITE) };
}

function invalid(file: string, rule: string): VdnnError {
  return new VdnnError("ERR_INVALID_DATA", `${file}: ${rule}`, { file });
}
