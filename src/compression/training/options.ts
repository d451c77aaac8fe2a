/** Options of `compressModel`, validated once, before anything is trained. */
import { type Initialization, INITIALIZATIONS } from "../sharing/initial.ts";
import { invalidOption } from "../invalid.ts";
import { adam, type Classifier, crossEntropy, type Phase } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import { checkShare, type ThresholdRule } from "./prune.ts";
import { DEFAULT_SHARES } from "./sensitivity.ts";

/** How one layer is compressed. What is left out comes from the options for all layers. */
export interface LayerOptions {
  /** Share of its weights that stay, above 0 and up to 1. */
  readonly keep?: number;
  /** Bits of a code, 1 to 8. */
  readonly codeBits?: number;
  /** Centroids besides zero; at most, and by default, 2^codeBits − 1. */
  readonly clusters?: number;
  /** Bits of a gap, 1 to 8. Default: what gives the fewest bits. */
  readonly indexBits?: number;
}

export type Stage = "sensitivities" | "pruning" | "retraining" | "fine-tuning" | "encoding";

export interface Progress {
  readonly stage: Stage;
  /** Steps of the stage that are done, of `total`: layers, rounds, epochs. */
  readonly done: number;
  readonly total: number;
  /** Of the epoch that ended, where one did. */
  readonly loss?: number;
}

export interface CompressionOptions extends Partial<Pick<Classifier, "batchSize" | "loss" | "optimizer" | "seed">> {
  /**
   * Share of the weights that stay, taken together over all layers without a share of their own; which keeps how many follows from
   * their sensitivities. Default 0.08.
   */
  readonly keep?: number;
  /**
   * Instead of `keep`: what goes is decided by magnitude alone, so how much stays follows from the weights. It rises to its full
   * value over the rounds.
   */
  readonly threshold?: ThresholdRule;
  /** Default 8 for convolutions and 5 for dense layers, as in Deep Compression, section 5. */
  readonly codeBits?: number;
  readonly clusters?: number;
  readonly indexBits?: number;
  /** Layers that differ, by name. */
  readonly layers?: Readonly<Record<string, LayerOptions>>;
  /** Start of k-means. Default `linear`. */
  readonly initialization?: Initialization;
  /** Default true. */
  readonly huffman?: boolean;
  /** Rounds of pruning. Default 6. */
  readonly rounds?: number;
  /** Retraining between two rounds. Default one epoch at 1e-3. */
  readonly pruning?: Phase;
  /** Retraining after the last round. Default 4 epochs at 1e-3, 3 at 3e-4, 1 at 1e-4. */
  readonly retraining?: readonly Phase[];
  /** Training of the centroids. Default 2 epochs at 3e-4, 1 at 1e-4. */
  readonly fineTuning?: readonly Phase[];
  /** Training images that sensitivities are measured on. Default 1000. */
  readonly sensitivityImages?: number;
  /** Shares at which they are measured. */
  readonly sensitivityShares?: readonly number[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export type CompressionSettings = Required<
  Omit<CompressionOptions, "threshold" | "codeBits" | "clusters" | "indexBits" | "layers" | "signal">
> &
  Pick<CompressionOptions, "threshold" | "codeBits" | "clusters" | "indexBits" | "signal"> & {
    readonly layers: Readonly<Record<string, LayerOptions>>;
  };

const DEFAULT_CODE_BITS = { convolution: 8, "fully-connected": 5 } as const;

/** @throws VdnnError `ERR_INVALID_OPTION` */
export function resolveCompression(
  options: CompressionOptions,
  prunable: readonly PrunableLayer[],
): CompressionSettings {
  const settings: CompressionSettings = {
    batchSize: 128,
    loss: crossEntropy,
    optimizer: adam,
    seed: 1,
    keep: 0.08,
    layers: {},
    initialization: "linear",
    huffman: true,
    rounds: 6,
    pruning: { epochs: 1, learningRate: 1e-3 },
    retraining: [
      { epochs: 4, learningRate: 1e-3 },
      { epochs: 3, learningRate: 3e-4 },
      { epochs: 1, learningRate: 1e-4 },
    ],
    fineTuning: [
      { epochs: 2, learningRate: 3e-4 },
      { epochs: 1, learningRate: 1e-4 },
    ],
    sensitivityImages: 1000,
    sensitivityShares: DEFAULT_SHARES,
    onProgress: () => undefined,
    ...defined(options),
  };
  checkSettings(settings);
  const names = prunable.map(({ name }) => name);
  for (const name of Object.keys(settings.layers)) {
    if (!names.includes(name)) {
      throw invalidOption(
        "layers",
        `there is no layer ${JSON.stringify(name)} to compress; there are ${names.join(", ")}`,
      );
    }
  }
  for (const layer of prunable) checkLayerOptions(layerOptions(settings, layer), layer.name);
  return settings;
}

/** What holds for a layer. */
export function layerOptions(
  { layers, codeBits, clusters, indexBits }: CompressionSettings,
  { name, kind }: Pick<PrunableLayer, "name" | "kind">,
): LayerOptions & { readonly codeBits: number } {
  const common = { codeBits: codeBits ?? DEFAULT_CODE_BITS[kind], ...defined({ clusters, indexBits }) };
  return { ...common, ...defined(layers[name] ?? {}) };
}

function checkSettings(settings: CompressionSettings): void {
  const {
    keep,
    threshold,
    rounds,
    sensitivityImages,
    sensitivityShares,
    initialization,
    pruning,
    retraining,
    fineTuning,
  } = settings;
  checkShare(keep, "keep");
  if (threshold !== undefined) checkThreshold(threshold);
  for (const share of sensitivityShares) checkShare(share, "sensitivityShares");
  whole(rounds, "rounds", 1);
  whole(sensitivityImages, "sensitivityImages", 1);
  if (!INITIALIZATIONS.includes(initialization)) {
    throw invalidOption("initialization", `expected one of ${INITIALIZATIONS.join(", ")}, got ${initialization}`);
  }
  for (const { epochs, learningRate } of [pruning, ...retraining, ...fineTuning]) {
    whole(epochs, "epochs", 0);
    if (!(learningRate > 0 && Number.isFinite(learningRate))) {
      throw invalidOption("learningRate", `expected a positive number, got ${learningRate}`);
    }
  }
}

function checkThreshold(rule: ThresholdRule): void {
  const value = rule.kind === "threshold" ? rule.magnitude : rule.quality;
  if (value >= 0 && Number.isFinite(value)) return;
  throw invalidOption(rule.kind, `expected a finite number that is not negative, got ${value}`);
}

function checkLayerOptions(
  { keep, codeBits, clusters, indexBits }: LayerOptions & { codeBits: number },
  name: string,
): void {
  if (keep !== undefined) checkShare(keep, `${name}: keep`);
  whole(codeBits, `${name}: codeBits`, 1, 8);
  if (indexBits !== undefined) whole(indexBits, `${name}: indexBits`, 1, 8);
  if (clusters === undefined) return;
  whole(clusters, `${name}: clusters`, 1);
  const most = 2 ** codeBits - 1;
  if (clusters > most) {
    throw invalidOption(
      `${name}: codeBits`,
      `${codeBits} bits hold ${most} centroids besides zero, but ${clusters} are asked for; use more bits, 8 at most, or fewer clusters`,
      { codeBits, clusters },
    );
  }
}

function whole(value: number, option: string, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw invalidOption(option, `expected a whole number ${range}, got ${value}`);
}

/** Options that were given as undefined are options that were not given. */
function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
