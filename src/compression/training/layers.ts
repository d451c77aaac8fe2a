/**
 * Which weights of a tf.layers model can be pruned and shared: the kernels of convolutions and dense layers. All others stay as they
 * are, and are named with the reason.
 */
import type { LayersModel, layers as tfLayers, LayerVariable } from "@tensorflow/tfjs";
import { invalidModel, invalidOption } from "../invalid.ts";
import { sizeOf } from "../model.ts";
import { checkFinite } from "../sharing/share.ts";
import { readWeight } from "./weights.ts";

export interface PrunableLayer {
  /** Of the layer: `ip1`. */
  readonly name: string;
  readonly kind: "convolution" | "fully-connected";
  readonly kernel: LayerVariable;
  readonly shape: readonly number[];
}

/** A layer with weights that are left alone. */
export interface LeftDense {
  readonly name: string;
  /** `BatchNormalization`. */
  readonly kind: string;
  readonly weights: number;
  readonly reason: string;
}

export interface ModelLayers {
  readonly prunable: readonly PrunableLayer[];
  readonly leftDense: readonly LeftDense[];
}

const KINDS: Readonly<Record<string, PrunableLayer["kind"]>> = {
  Conv1D: "convolution",
  Conv2D: "convolution",
  Dense: "fully-connected",
};

/** @throws VdnnError `ERR_INVALID_OPTION` when there is nothing to prune, `ERR_INVALID_MODEL` for weights that are not finite */
export async function modelLayers(model: LayersModel): Promise<ModelLayers> {
  const prunable: PrunableLayer[] = [];
  const leftDense: LeftDense[] = [];
  for (const layer of model.layers) {
    const kernel = kernelOf(layer);
    if (kernel !== null) {
      const kind = KINDS[layer.getClassName()] ?? "fully-connected";
      prunable.push({ name: layer.name, kind, kernel, shape: kernel.shape as number[] });
    } else if (layer.weights.length > 0) {
      leftDense.push({
        name: layer.name,
        kind: layer.getClassName(),
        weights: layer.weights.reduce((sum, { shape }) => sum + sizeOf(shape as number[]), 0),
        reason: layer.getClassName() in KINDS ? "it is frozen" : "only convolutions and dense layers are compressed",
      });
    }
  }
  if (prunable.length === 0) {
    throw invalidOption(
      "model",
      `${model.name} has no convolution or dense layer that is trained; nothing can be pruned`,
    );
  }
  await checkWeights(model);
  return { prunable, leftDense };
}

function kernelOf(layer: tfLayers.Layer): LayerVariable | null {
  if (!(layer.getClassName() in KINDS) || !layer.trainable) return null;
  return layer.trainableWeights.find(({ originalName }) => originalName.endsWith("kernel")) ?? null;
}

/** Weights are told apart by the names in a saved model, so two of one name, or NaN, would be lost silently. */
async function checkWeights(model: LayersModel): Promise<void> {
  const names = new Set<string>();
  for (const weight of model.weights) {
    const { originalName } = weight;
    if (names.has(originalName))
      throw invalidModel(model.name, `two weights have the name ${originalName}; rename a layer`);
    names.add(originalName);
    checkFinite(await readWeight(weight), originalName);
  }
}
