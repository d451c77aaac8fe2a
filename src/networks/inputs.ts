/** Inputs for any tf.layers model, generated from a seed: images as the built-in networks have, tokens, or numbers. */
import type { LayersModel, SymbolicTensor, Tensor } from "@tensorflow/tfjs";
import { VdnnError } from "../errors.ts";
import { deriveSeed, imageBatch, mulberry32 } from "./data.ts";
import type { TensorFlow } from "./network.ts";

/**
 * One tensor `[batch, …]` for each of the model's inputs.
 *
 * @throws VdnnError `ERR_UNSUPPORTED_LAYER` for an input of a shape that is not fixed
 */
export function generatedInputs(tf: TensorFlow, model: LayersModel, batch: number, seed: number): Tensor[] {
  const tokens = fewestTokens(model);
  return model.inputs.map((input, i) => {
    const shape = fixedShape(input, batch);
    if (i === 0 && shape.length === 4 && input.dtype === "float32" && tokens === null) {
      const { xs, ys } = imageBatch(tf, model, batch, seed);
      ys.dispose();
      return xs;
    }
    const random = mulberry32(deriveSeed(seed, input.name));
    const length = shape.reduce((product, size) => product * size, 1);
    const isTokens = tokens !== null || input.dtype === "int32";
    const draw = isTokens ? () => Math.floor(random() * (tokens ?? 2)) : () => 2 * random() - 1;
    return tf.tensor(Float32Array.from({ length }, draw), shape, input.dtype === "int32" ? "int32" : "float32");
  });
}

function fixedShape({ name, shape }: SymbolicTensor, batch: number): number[] {
  return shape.map((size, axis) => {
    if (axis === 0) return batch;
    if (size !== null) return size;
    throw new VdnnError(
      "ERR_UNSUPPORTED_LAYER",
      `input ${name} has the shape [${shape.join(", ")}], of which axis ${axis} is open; save the model with a fixed input shape`,
      { input: name, shape },
    );
  });
}

/** Of the smallest embedding; null where the model reads no tokens. */
function fewestTokens(model: LayersModel): number | null {
  const sizes = model.layers
    .filter((layer) => layer.getClassName() === "Embedding")
    .map((layer) => Number(layer.getConfig()["inputDim"]));
  return sizes.length === 0 ? null : Math.min(...sizes);
}
