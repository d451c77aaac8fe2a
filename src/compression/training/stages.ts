/** The stages of `compressModel`, each from the settings to what the next one needs. */
import { slice } from "../../data/images.ts";
import { layerOfCodes } from "../layer.ts";
import type { CompressedModel, JsonObject } from "../model.ts";
import { shareWeights } from "../sharing/share.ts";
import { type SharedKernel, trainCentroids } from "./centroids.ts";
import { type Classifier, type Phase, train } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import { Masks } from "./masks.ts";
import { type CompressionSettings, layerOptions } from "./options.ts";
import { pruneInRounds, type Shares } from "./prune.ts";
import { chooseShares, measureSensitivities, type Sensitivities } from "./sensitivity.ts";
import { denseTensors, readWeight } from "./weights.ts";

export interface KeptShares {
  /** Asked for or chosen, by layer. */
  readonly kept: Shares;
  /** Null where every layer had a share of its own. */
  readonly sensitivities: Sensitivities | null;
}

/** Layers with a share of their own keep it; the others together keep `keep`. */
export async function sharesToKeep(
  classifier: Classifier,
  settings: CompressionSettings,
  prunable: readonly PrunableLayer[],
): Promise<KeptShares> {
  const { layers, keep, sensitivityImages, sensitivityShares, onProgress } = settings;
  const own = prunable.flatMap(({ name }): [string, number][] => {
    const share = layers[name]?.keep;
    return share === undefined ? [] : [[name, share]];
  });
  const open = prunable.filter(({ name }) => layers[name]?.keep === undefined);
  if (open.length === 0) return { kept: new Map(own), sensitivities: null };
  const images = slice(classifier.data.train, 0, sensitivityImages);
  let done = 0;
  const onLayer = (): void => onProgress({ stage: "sensitivities", done: done++, total: open.length });
  const sensitivities = await measureSensitivities(classifier, open, images, sensitivityShares, onLayer);
  return { kept: new Map([...own, ...chooseShares(sensitivities, keep)]), sensitivities };
}

/** @param measure the accuracy, before and after the retraining that follows the last round */
export async function prune(
  classifier: Classifier,
  { rounds, pruning, retraining, onProgress }: CompressionSettings,
  prunable: readonly PrunableLayer[],
  kept: Shares,
  measure: () => Promise<number>,
): Promise<{ readonly pruned: number; readonly retrained: number }> {
  const masks = new Masks(classifier.tf);
  try {
    await pruneInRounds(classifier, prunable, kept, masks, { rounds, retraining: pruning }, ({ round }) =>
      onProgress({ stage: "pruning", done: round, total: rounds }),
    );
    const pruned = await measure();
    const total = epochsOf(retraining);
    let done = 0;
    for (const [i, phase] of retraining.entries()) {
      const onEpoch = (_: number, { loss }: { readonly loss: number }): void =>
        onProgress({ stage: "retraining", done: ++done, total, loss });
      await train(classifier, phase, `retrain/${i}`, () => masks.apply(), onEpoch);
    }
    return { pruned, retrained: await measure() };
  } finally {
    masks.dispose();
  }
}

/** Clusters of what pruning has left; the model is not changed. */
export async function shareLayers(
  settings: CompressionSettings,
  prunable: readonly PrunableLayer[],
): Promise<SharedKernel[]> {
  const { initialization, seed } = settings;
  const shared: SharedKernel[] = [];
  for (const layer of prunable) {
    const { codeBits, clusters } = layerOptions(settings, layer);
    const options = { codeBits, initialization, seed, ...(clusters === undefined ? {} : { clusters }) };
    const { codes, codebook } = shareWeights(await readWeight(layer.kernel), options, layer.name);
    shared.push({ kernel: layer.kernel, codes, codebook });
  }
  return shared;
}

/** @returns the kernels with their trained codebooks */
export async function fineTune(
  classifier: Classifier,
  { fineTuning, onProgress }: CompressionSettings,
  shared: readonly SharedKernel[],
): Promise<readonly SharedKernel[]> {
  const total = epochsOf(fineTuning);
  let done = 0;
  let kernels = shared;
  for (const [i, phase] of fineTuning.entries()) {
    kernels = await trainCentroids(classifier, kernels, phase, `fine-tune/${i}`, (_, loss) =>
      onProgress({ stage: "fine-tuning", done: ++done, total, loss }),
    );
  }
  return kernels;
}

/** The model with what was shared as codes, and everything else as it is. */
export async function assemble(
  { model }: Classifier,
  settings: CompressionSettings,
  prunable: readonly PrunableLayer[],
  kernels: readonly SharedKernel[],
  metadata: JsonObject,
): Promise<CompressedModel> {
  const layers = prunable.map((layer, i) => {
    const { codes, codebook } = kernels[i] as SharedKernel;
    const coded = { name: layer.kernel.originalName, shape: layer.shape, codes, codebook, bias: null };
    return layerOfCodes(coded, layerOptions(settings, layer).indexBits);
  });
  const dense = await denseTensors(model, new Set(prunable.map(({ kernel }) => kernel)));
  return { name: model.name, layers, dense, topology: model.toJSON(null, false) as unknown as JsonObject, metadata };
}

function epochsOf(phases: readonly Phase[]): number {
  return phases.reduce((sum, { epochs }) => sum + epochs, 0);
}
