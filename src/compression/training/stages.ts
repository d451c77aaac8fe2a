/** The stages of `compressModel`, each from the settings to what the next one needs. */
import { slice } from "../../data/images.ts";
import { layerOfCodes } from "../layer.ts";
import type { CompressedModel, JsonObject } from "../model.ts";
import type { PruneRule } from "../pruning.ts";
import { shareWeights } from "../sharing/share.ts";
import { type SharedKernel, trainCentroids } from "./centroids.ts";
import { type Classifier, type Phase, train } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import { Masks } from "./masks.ts";
import { type CompressionSettings, layerOptions } from "./options.ts";
import { pruneInRounds, type PruningRound, type Rules, type Shares } from "./prune.ts";
import { chooseShares, measureSensitivities, type Sensitivities } from "./sensitivity.ts";
import { denseTensors, readWeight } from "./weights.ts";

export interface KeptShares {
  /** What is left of each layer. */
  readonly kept: Shares;
  /** Null where no layer's share was chosen by them. */
  readonly sensitivities: Sensitivities | null;
}

export interface ChosenRules {
  readonly rules: Rules;
  readonly sensitivities: Sensitivities | null;
}

/** Layers with a share of their own keep it; the others follow the threshold, or together keep `keep`. */
export async function chooseRules(
  classifier: Classifier,
  settings: CompressionSettings,
  prunable: readonly PrunableLayer[],
): Promise<ChosenRules> {
  const { keep, threshold, sensitivityImages, sensitivityShares, onProgress } = settings;
  const open = prunable.filter(({ name }) => settings.layers[name]?.keep === undefined);
  if (open.length === 0 || threshold !== undefined || keep === 1) {
    return { rules: uniformRules(settings, prunable), sensitivities: null };
  }
  const images = slice(classifier.data.train, 0, sensitivityImages);
  let done = 0;
  const onLayer = (): void => onProgress({ stage: "sensitivities", done: done++, total: open.length });
  const sensitivities = await measureSensitivities(classifier, open, images, sensitivityShares, onLayer);
  const chosen = [...chooseShares(sensitivities, keep)].map(([name, share]) => [name, keptRule(share)] as const);
  return { rules: new Map([...uniformRules(settings, prunable), ...chosen]), sensitivities };
}

/** Without anything to measure by: every layer without a share of its own follows the threshold, or keeps `keep`. */
export function uniformRules(
  { layers, keep, threshold }: CompressionSettings,
  prunable: readonly PrunableLayer[],
): Rules {
  const rule = threshold ?? keptRule(keep);
  return new Map(
    prunable.map(({ name }) => {
      const own = layers[name]?.keep;
      return [name, own === undefined ? rule : keptRule(own)];
    }),
  );
}

function keptRule(share: number): PruneRule {
  return { kind: "kept", share };
}

export interface PrunedAccuracy {
  readonly kept: Shares;
  readonly pruned: number;
  readonly retrained: number;
}

/** @param measure the accuracy, before and after the retraining that follows the last round */
export async function prune(
  classifier: Classifier,
  { rounds, pruning, retraining, onProgress }: CompressionSettings,
  prunable: readonly PrunableLayer[],
  rules: Rules,
  measure: () => Promise<number>,
): Promise<PrunedAccuracy> {
  const masks = new Masks(classifier.tf);
  try {
    const onRound = ({ round }: PruningRound): void => onProgress({ stage: "pruning", done: round, total: rounds });
    const kept = await pruneInRounds(classifier, prunable, rules, masks, { rounds, retraining: pruning }, onRound);
    const pruned = await measure();
    const total = epochsOf(retraining);
    let done = 0;
    for (const [i, phase] of retraining.entries()) {
      const onEpoch = (_: number, { loss }: { readonly loss: number }): void =>
        onProgress({ stage: "retraining", done: ++done, total, loss });
      await train(classifier, phase, `retrain/${i}`, () => masks.apply(), onEpoch);
    }
    return { kept, pruned, retrained: await measure() };
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
  { model }: Pick<Classifier, "model">,
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
