/** From the flags of `vdnn compress` to what is trained and how it is compressed. */
import type { Phase } from "../compression/training/classifier.ts";
import type { CompressionOptions } from "../compression/training/options.ts";
import type { ThresholdRule } from "../compression/training/prune.ts";
import type { CompressFlags } from "./compress-options.ts";
import type { Origin } from "./compress-subject.ts";
import { usage } from "./infer-source.ts";

const DEFAULT_RATE = 1e-3;
const DEFAULT_EPOCHS = 10;
const DEFAULT_RETRAIN_EPOCHS = 8;
const DEFAULT_TUNE_EPOCHS = 3;
/** Shared weights move far more weights each, so they are trained at a lower rate. */
const TUNE_RATE = 0.3;
/** Rates fall in steps, as in the paper's retraining at a tenth of the first rate. */
const STEPS: readonly { readonly part: number; readonly factor: number }[] = [
  { part: 0.3, factor: 0.3 },
  { part: 0.1, factor: 0.1 },
];

/** Epochs at the full rate, then three tenths of them at three tenths of it, and one tenth at a tenth; the last steps come first to go. */
export function annealed(epochs: number, learningRate: number): Phase[] {
  const later: Phase[] = [];
  let first = epochs;
  for (const { part, factor } of STEPS) {
    const share = Math.min(first - 1, Math.max(1, Math.round(part * epochs)));
    if (share < 1) break;
    first -= share;
    later.push({ epochs: share, learningRate: factor * learningRate });
  }
  return epochs === 0 ? [] : [{ epochs: first, learningRate }, ...later];
}

/** Training before compression. */
export function trainingPhases({ epochs, learningRate = DEFAULT_RATE }: CompressFlags, origin: Origin): Phase[] {
  return annealed(epochs ?? (origin === "network" ? DEFAULT_EPOCHS : 0), learningRate);
}

/** Without callbacks. What is not pruned is not retrained either. */
export function compressionOptions(flags: CompressFlags): CompressionOptions {
  const { prune, share, clusters, indexBits, initialization, huffman = false, seed, rounds, batch } = flags;
  const { roundEpochs = 1, retrainEpochs = DEFAULT_RETRAIN_EPOCHS, tuneEpochs = DEFAULT_TUNE_EPOCHS } = flags;
  const { learningRate = DEFAULT_RATE } = flags;
  const threshold = thresholdOf(flags);
  const isPruned = prune !== undefined || threshold !== undefined;
  return {
    keep: 1 - (prune ?? 0),
    ...(threshold === undefined ? {} : { threshold }),
    ...(share === undefined ? {} : { codeBits: share }),
    ...(clusters === undefined ? {} : { clusters }),
    ...(indexBits === undefined ? {} : { indexBits }),
    ...(batch === undefined ? {} : { batchSize: batch }),
    ...(rounds === undefined ? {} : { rounds }),
    ...(isPruned ? {} : { rounds: 1 }),
    initialization,
    huffman,
    seed,
    pruning: { epochs: roundEpochs, learningRate },
    retraining: isPruned ? annealed(retrainEpochs, learningRate) : [],
    fineTuning: annealed(tuneEpochs, TUNE_RATE * learningRate),
  };
}

function thresholdOf({ nearZero, quality }: CompressFlags): ThresholdRule | undefined {
  if (nearZero !== undefined) return { kind: "threshold", magnitude: nearZero };
  return quality === undefined ? undefined : { kind: "quality", quality };
}

const NEEDS_IMAGES = [
  "data",
  "trainImages",
  "testImages",
  "epochs",
  "rounds",
  "roundEpochs",
  "retrainEpochs",
  "tuneEpochs",
  "learningRate",
  "batch",
  "sensitivity",
  "fp16",
  "int8",
] as const satisfies readonly (keyof CompressFlags)[];

/** @throws VdnnError `ERR_INVALID_OPTION` for flags that go with training where there is none */
export function checkCompressFlags(flags: CompressFlags): void {
  if (flags.retrain) return;
  const needless = NEEDS_IMAGES.find((name) => flags[name] !== undefined);
  if (needless !== undefined)
    throw usage(needless, "needs images, which --no-retrain does without; leave out one of both");
}
