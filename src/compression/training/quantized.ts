/**
 * What fewer bits per weight cost, without pruning and retraining: every weight as the nearest half, or kernels as 8-bit integers with
 * one scale each. The model computes in floats, on the values that are left.
 */
import type { LayersModel, LayerVariable } from "@tensorflow/tfjs";
import type { LabeledImages } from "../../data/images.ts";
import type { TensorFlow } from "../../networks/network.ts";
import { halfBits, roundToHalf } from "../quantization/half.ts";
import { dequantize, quantize, quantizedBits } from "../quantization/symmetric.ts";
import { checkFinite } from "../sharing/share.ts";
import { accuracyOf, type Predictor } from "./classifier.ts";
import { readWeight, restoreWeights, takeWeights, writeWeight } from "./weights.ts";

export type WeightPrecision = "fp16" | "int8";
export const WEIGHT_PRECISIONS: readonly WeightPrecision[] = ["fp16", "int8"];

export interface QuantizedResult {
  readonly precision: WeightPrecision;
  /** Of all weights. */
  readonly bytes: number;
  /** Share of images in the right class, 0 to 1. */
  readonly accuracy: number;
}

const FLOAT_BITS = 32;

/**
 * Rounds the weights of the model.
 *
 * @returns the bytes that they would take
 * @throws VdnnError `ERR_INVALID_MODEL` for weights that are not finite
 */
export async function quantizeWeights(tf: TensorFlow, model: LayersModel, precision: WeightPrecision): Promise<number> {
  let bits = 0;
  for (const weight of model.weights) {
    const rounded = quantized(await readWeight(weight), precision, weight);
    writeWeight(tf, weight, rounded.values);
    bits += rounded.bits;
  }
  return Math.ceil(bits / 8);
}

/** The model has its weights back afterwards. @throws VdnnError `ERR_INVALID_MODEL` for weights that are not finite */
export async function measureQuantized(
  classifier: Predictor,
  images: LabeledImages,
  precision: WeightPrecision,
): Promise<QuantizedResult> {
  const { tf, model } = classifier;
  const weights = await takeWeights(model);
  try {
    const bytes = await quantizeWeights(tf, model, precision);
    return { precision, bytes, accuracy: await accuracyOf(classifier, images) };
  } finally {
    restoreWeights(tf, model, weights);
  }
}

function quantized(
  values: Float32Array,
  precision: WeightPrecision,
  { originalName, shape }: LayerVariable,
): { readonly values: Float32Array; readonly bits: number } {
  switch (precision) {
    case "fp16":
      checkFinite(values, originalName);
      return { values: roundToHalf(values), bits: halfBits(values.length) };
    case "int8":
      // Biases and statistics are few, and are added to sums of many products.
      return shape.length < 2
        ? { values, bits: FLOAT_BITS * values.length }
        : { values: dequantize(quantize(values, 8, originalName)), bits: quantizedBits(values.length, 8) };
    default:
      return precision satisfies never;
  }
}
