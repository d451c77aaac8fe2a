/** Weights of a tf.layers model between the device and plain arrays. */
import type { LayersModel, LayerVariable } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../networks/network.ts";
import { type DenseTensor, sizeOf } from "../model.ts";

const FLOAT_BYTES = 4;

/** The values of a weight, a copy. */
export async function readWeight(weight: LayerVariable): Promise<Float32Array> {
  return Float32Array.from(await weight.read().data());
}

export function writeWeight(tf: TensorFlow, weight: LayerVariable, values: Float32Array): void {
  tf.tidy(() => {
    weight.write(tf.tensor(values, weight.shape as number[], weight.dtype));
  });
}

/** All weights in host memory, in the order of `model.weights`, to be put back when what changed them failed or was an experiment. */
export async function takeWeights(model: LayersModel): Promise<readonly Float32Array[]> {
  return Promise.all(model.weights.map(readWeight));
}

export function restoreWeights(tf: TensorFlow, model: LayersModel, taken: readonly Float32Array[]): void {
  for (const [i, weight] of model.weights.entries()) writeWeight(tf, weight, taken[i] ?? new Float32Array());
}

/** Every weight of the model that is not in `except`. */
export async function denseTensors(model: LayersModel, except: ReadonlySet<LayerVariable>): Promise<DenseTensor[]> {
  const others = model.weights.filter((weight) => !except.has(weight));
  return Promise.all(
    others.map(async (weight) => ({
      name: weight.originalName,
      shape: weight.shape as number[],
      values: await readWeight(weight),
    })),
  );
}

/** All weights as floats. */
export function denseBytes(model: LayersModel): number {
  return FLOAT_BYTES * model.weights.reduce((sum, { shape }) => sum + sizeOf(shape as number[]), 0);
}
