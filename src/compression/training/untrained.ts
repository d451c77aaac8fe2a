/**
 * Compression of a model that there is no data for: pruned in one step, shared, encoded, and nothing trained or measured. Every layer
 * is pruned by the same rule, as without data nothing tells which of them bears more.
 */
import type { LayersModel } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../networks/network.ts";
import { encodeModel } from "../file/encode.ts";
import { modelSize } from "../size/account.ts";
import { assignShared } from "./centroids.ts";
import type { CompressionResult } from "./compress.ts";
import { modelLayers } from "./layers.ts";
import { Masks } from "./masks.ts";
import { type CompressionOptions, resolveCompression } from "./options.ts";
import { pruneBy } from "./prune.ts";
import { assemble, shareLayers, uniformRules } from "./stages.ts";
import { denseBytes, restoreWeights, takeWeights } from "./weights.ts";

export type UntrainedOptions = Omit<
  CompressionOptions,
  "rounds" | "pruning" | "retraining" | "fineTuning" | "sensitivityImages" | "sensitivityShares" | "loss" | "optimizer"
>;
export type UntrainedResult = Omit<CompressionResult, "accuracy" | "sensitivities">;

/**
 * Afterwards `model` has the compressed weights; if it fails, those that it had before.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for options that cannot be used, `ERR_INVALID_MODEL` for weights that are not finite
 */
export async function compressUntrained(
  tf: TensorFlow,
  model: LayersModel,
  options: UntrainedOptions = {},
): Promise<UntrainedResult> {
  const { prunable, leftDense } = await modelLayers(model);
  const settings = resolveCompression(options, prunable);
  const before = await takeWeights(model);
  const masks = new Masks(tf);
  try {
    const kept = await pruneBy(prunable, uniformRules(settings, prunable), masks);
    settings.signal?.throwIfAborted();
    const kernels = await shareLayers(settings, prunable);
    for (const each of kernels) assignShared(tf, each);
    const compressed = await assemble({ model }, settings, prunable, kernels, {});
    const file = encodeModel(compressed, { huffman: settings.huffman });
    return { model: compressed, file, size: modelSize(compressed), denseBytes: denseBytes(model), leftDense, kept };
  } catch (error) {
    restoreWeights(tf, model, before);
    throw error;
  } finally {
    masks.dispose();
  }
}
