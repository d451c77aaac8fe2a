/**
 * Deep Compression of a trained classifier (Han, Mao, Dally, ICLR 2016, figure 1): prune and retrain in rounds, share the weights that are
 * left, train the centroids, encode. Training goes through TensorFlow.js as any other does, so a session of `virtualize` around it
 * gives it a memory budget.
 */
import type { LayersModel } from "@tensorflow/tfjs";
import type { DataSplit } from "../../data/images.ts";
import type { TensorFlow } from "../../networks/network.ts";
import { encodeModel } from "../file/encode.ts";
import type { CompressedModel } from "../model.ts";
import { type ModelSize, modelSize } from "../size/account.ts";
import { assignShared } from "./centroids.ts";
import { accuracyOf, checkClassifier, type Classifier } from "./classifier.ts";
import { type LeftDense, modelLayers, type PrunableLayer } from "./layers.ts";
import { loadCompressed } from "./load.ts";
import { type CompressionOptions, type CompressionSettings, resolveCompression } from "./options.ts";
import { assemble, chooseRules, fineTune, type KeptShares, prune, shareLayers } from "./stages.ts";
import { denseBytes, restoreWeights, takeWeights } from "./weights.ts";

/** Shares of the test images in the right class, 0 to 1, in the order of the stages. */
export interface StageAccuracies {
  readonly dense: number;
  /** After the last round, before its retraining. */
  readonly pruned: number;
  readonly retrained: number;
  /** Before the centroids are trained. */
  readonly shared: number;
  readonly fineTuned: number;
  /** Of the model that the file holds. */
  readonly loaded: number;
}

export interface CompressionResult extends KeptShares {
  readonly model: CompressedModel;
  readonly file: Uint8Array;
  /** By layer, as the paper's tables count it. */
  readonly size: ModelSize;
  /** All weights as floats, biases and dense layers included; what the file is to be compared with. */
  readonly denseBytes: number;
  readonly accuracy: StageAccuracies;
  readonly leftDense: readonly LeftDense[];
}

/**
 * Afterwards `model` has the compressed weights; if it fails or is aborted, those that it had before.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for options or data that cannot be used, `ERR_INVALID_MODEL` for weights that are not finite; the
 *   signal's reason when aborted
 */
export async function compressModel(
  tf: TensorFlow,
  model: LayersModel,
  data: DataSplit,
  options: CompressionOptions = {},
): Promise<CompressionResult> {
  options.signal?.throwIfAborted();
  const { prunable, leftDense } = await modelLayers(model);
  const settings = resolveCompression(options, prunable);
  const { batchSize, loss, optimizer, seed, signal } = settings;
  const classifier: Classifier = { tf, model, data, batchSize, loss, optimizer, seed, signal };
  checkClassifier(classifier);
  const before = await takeWeights(model);
  try {
    return { ...(await compress(classifier, settings, prunable)), leftDense };
  } catch (error) {
    restoreWeights(tf, model, before);
    throw error;
  }
}

async function compress(
  classifier: Classifier,
  settings: CompressionSettings,
  prunable: readonly PrunableLayer[],
): Promise<Omit<CompressionResult, "leftDense">> {
  const { tf, model, data } = classifier;
  const measure = (): Promise<number> => accuracyOf(classifier, data.test);
  const dense = await measure();
  const { rules, sensitivities } = await chooseRules(classifier, settings, prunable);
  const { kept, pruned, retrained } = await prune(classifier, settings, prunable, rules, measure);
  const first = await shareLayers(settings, prunable);
  for (const each of first) assignShared(tf, each);
  const shared = await measure();
  const kernels = await fineTune(classifier, settings, first);
  const fineTuned = await measure();

  settings.onProgress({ stage: "encoding", done: 0, total: 1 });
  const accuracy = { dense, pruned, retrained, shared, fineTuned };
  const compressed = await assemble(classifier, settings, prunable, kernels, { accuracy });
  const file = encodeModel(compressed, { huffman: settings.huffman });
  const loadedModel = await loadCompressed(tf, file);
  const loaded = await accuracyOf({ ...classifier, model: loadedModel }, data.test).finally(() =>
    loadedModel.dispose(),
  );
  settings.onProgress({ stage: "encoding", done: 1, total: 1 });
  return {
    model: compressed,
    file,
    size: modelSize(compressed),
    denseBytes: denseBytes(model),
    accuracy: { ...accuracy, loaded },
    kept,
    sensitivities,
  };
}
