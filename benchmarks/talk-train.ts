/** The first half of the talk: a network is trained, pruned, shared and encoded in a session of vdnn; its weights are kept after each step. */
import { adam, type Classifier, crossEntropy, train } from "../src/compression/training/classifier.ts";
import { encodeModel } from "../src/compression/file/encode.ts";
import { bestIndexBits } from "../src/compression/layer.ts";
import { countEntries, relativeIndexBits } from "../src/compression/codecs/relative-index.ts";
import { assignShared } from "../src/compression/training/centroids.ts";
import { modelLayers } from "../src/compression/training/layers.ts";
import { resolveCompression } from "../src/compression/training/options.ts";
import { assemble, chooseRules, fineTune, prune, shareLayers } from "../src/compression/training/stages.ts";
import { denseBytes, readWeight, takeWeights } from "../src/compression/training/weights.ts";
import type { DataSplit } from "../src/data/images.ts";
import { findNetwork } from "../src/networks/index.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import { virtualize } from "../src/platforms/node.ts";

export const TALK_NETWORKS = ["lenet300", "lenet5"] as const;
export type TalkNetwork = (typeof TALK_NETWORKS)[number];

/** All weights of the model, and what they take to store. */
export interface Snapshot {
  readonly weights: readonly Float32Array[];
  readonly bytes: number;
}

export interface TalkWeights {
  readonly parameters: number;
  /** Share of the kernels' weights that is left. */
  readonly kept: number;
  /** Floats. */
  readonly trained: Snapshot;
  /** 16-bit weights with relative indices, the others as 16 bits. */
  readonly pruned: Snapshot;
  /** The file. */
  readonly encoded: Snapshot;
  readonly peakDeviceBytes: number;
}

export interface TalkPlan {
  readonly network: TalkNetwork;
  readonly data: DataSplit;
  /** Share of the weights that stays. */
  readonly keep: number;
  readonly deviceMemory: string;
  readonly seed: number;
}

/** Codes of 4 bits in matrices, as EIE's entries have. */
const CODE_BITS = { convolution: 8, "fully-connected": 4 } as const;
const BATCH = 64;
const WORD_BITS = 16;

export async function trainForTalk(
  tf: TensorFlow,
  { network, data, keep, deviceMemory, seed }: TalkPlan,
  progress: (text: string) => void,
): Promise<TalkWeights> {
  const session = await virtualize(tf, { deviceMemory });
  const model = findNetwork(network).build(tf, { seed });
  const classifier: Classifier = { tf, model, data, batchSize: BATCH, loss: crossEntropy, optimizer: adam, seed };
  try {
    progress("training");
    await train(classifier, { epochs: 5, learningRate: 1e-3 }, "dense/0");
    await train(classifier, { epochs: 2, learningRate: 3e-4 }, "dense/1");
    const trained = { weights: await takeWeights(model), bytes: denseBytes(model) };

    const { prunable } = await modelLayers(model);
    const settings = resolveCompression(
      {
        keep,
        seed,
        batchSize: BATCH,
        layers: Object.fromEntries(prunable.map(({ name, kind }) => [name, { codeBits: CODE_BITS[kind] }])),
        rounds: 4,
        retraining: [
          { epochs: 3, learningRate: 1e-3 },
          { epochs: 2, learningRate: 3e-4 },
        ],
        onProgress: ({ stage, done, total }) => progress(`${stage}, ${done} of ${total}`),
      },
      prunable,
    );
    const { rules } = await chooseRules(classifier, settings, prunable);
    await prune(classifier, settings, prunable, rules, () => Promise.resolve(Number.NaN));
    let [left, kernelWeights, prunedBits] = [0, 0, 0];
    for (const { kernel } of prunable) {
      const places = (await readWeight(kernel)).map((weight) => (weight === 0 ? 0 : 1));
      const codes = Uint8Array.from(places);
      const indexBits = bestIndexBits(codes, WORD_BITS);
      prunedBits += relativeIndexBits(countEntries(codes, indexBits), WORD_BITS, indexBits);
      left += places.reduce((sum, place) => sum + place, 0);
      kernelWeights += codes.length;
    }
    prunedBits += WORD_BITS * (trained.bytes / 4 - kernelWeights);
    const pruned = { weights: await takeWeights(model), bytes: Math.ceil(prunedBits / 8) };

    const shared = await shareLayers(settings, prunable);
    for (const each of shared) assignShared(tf, each);
    const kernels = await fineTune(classifier, settings, shared);
    const file = encodeModel(await assemble(classifier, settings, prunable, kernels, {}));
    return {
      parameters: trained.bytes / 4,
      kept: left / kernelWeights,
      trained,
      pruned,
      encoded: { weights: await takeWeights(model), bytes: file.length },
      peakDeviceBytes: session.report().peakDeviceBytes,
    };
  } finally {
    model.dispose();
    await session.dispose();
  }
}
