/**
 * Builds tf.layers models without their weights: inside `withoutWeights` a layer's `addWeight` makes a variable that has a
 * shape and no data, so VGG-416 takes milliseconds and no memory. Such a model can be read (layers, shapes, configuration),
 * not run.
 */
import type { LayersModel } from "@tensorflow/tfjs";
import type { TensorFlow } from "../networks/network.ts";

/** What is left of a `LayerVariable`. */
export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly trainable: boolean;
}

/** The parts of a tf.layers layer that a build without weights touches; they are private in its types. */
interface WeightOwner {
  _trainableWeights: unknown[];
  _nonTrainableWeights: unknown[];
}

type AddWeight = (
  this: WeightOwner,
  name: string,
  shape: readonly number[],
  dtype?: string | null,
  initializer?: unknown,
  regularizer?: unknown,
  trainable?: boolean | null,
) => WeightShape;

/** Runs `build`, synchronously, with `addWeight` replaced, and puts it back whatever happens. */
export function withoutWeights(tf: TensorFlow, build: () => LayersModel): LayersModel {
  const prototype = tf.layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const original = prototype.addWeight;
  prototype.addWeight = addShape;
  try {
    return build();
  } finally {
    prototype.addWeight = original;
  }
}

const addShape: AddWeight = function (name, shape, dtype, _initializer, _regularizer, trainable) {
  const weight: WeightShape = { name, shape: [...shape], dtype: dtype ?? "float32", trainable: trainable ?? true };
  (weight.trainable ? this._trainableWeights : this._nonTrainableWeights).push(weight);
  return weight;
};
