/**
 * How small does a network get, and what does that cost in accuracy? LeNet-300-100 trained from its start, pruned, shared and
 * Huffman-coded, all of it in a session of vdnn; the file is loaded back and measured too.
 */
import { loadTensorFlow } from "../src/backends/load.ts";
import { adam, type Classifier, crossEntropy, type Phase, train } from "../src/compression/training/classifier.ts";
import { compressModel } from "../src/compression/training/compress.ts";
import { measureQuantized, type QuantizedResult, WEIGHT_PRECISIONS } from "../src/compression/training/quantized.ts";
import { drawnDigits } from "../src/data/digits.ts";
import { readMnist } from "../src/data/idx.ts";
import type { DataSplit } from "../src/data/images.ts";
import { findNetwork } from "../src/networks/index.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import { virtualize } from "../src/platforms/node.ts";
import {
  COMPRESS_NETWORKS,
  type CompressNetwork,
  type CompressResult,
  type CompressTrial,
  compressTables,
} from "./compress-result.ts";
import { environment, progress, publish, runAsProgram, runtimeOf } from "./harness.ts";
import { backendOption, choices, integer, readOptions, UsageError } from "./options.ts";

const QUESTION = "How small does a network get, and what does that cost in accuracy?";

const OPTIONS = {
  network: { default: "lenet300", help: `one of ${COMPRESS_NETWORKS.join(", ")}` },
  data: { default: "", help: "folder of MNIST's four files; none: drawn digits" },
  train: { default: "12000", help: "drawn digits to train on" },
  test: { default: "5000", help: "drawn digits to measure on" },
  keep: { default: "0.06", help: "share of the weights that stay" },
  device: { default: "", help: "device budget, such as 8MiB; none: no limit" },
  seeds: { default: "1", help: "seeds of weights and order; one trial each" },
};

/** Of the dense network. */
const TRAINING: readonly Phase[] = [
  { epochs: 6, learningRate: 1e-3 },
  { epochs: 3, learningRate: 3e-4 },
  { epochs: 1, learningRate: 1e-4 },
];
const BATCH = 128;

interface Workload {
  readonly network: CompressNetwork;
  readonly data: DataSplit;
  readonly keep: number;
  readonly deviceMemory: string | null;
}

async function runTrial(tf: TensorFlow, workload: Workload, seed: number): Promise<CompressTrial> {
  const { network, data, keep, deviceMemory } = workload;
  const session = await virtualize(tf, deviceMemory === null ? {} : { deviceMemory });
  const model = findNetwork(network).build(tf, { seed });
  const classifier: Classifier = { tf, model, data, batchSize: BATCH, loss: crossEntropy, optimizer: adam, seed };
  try {
    const start = performance.now();
    for (const [i, phase] of TRAINING.entries()) {
      await train(classifier, phase, `dense/${i}`, undefined, (epoch, { loss }) =>
        progress(
          `seed ${seed}: training, epoch ${epoch + 1} of ${phase.epochs} at ${phase.learningRate}: loss ${loss.toFixed(4)}`,
        ),
      );
    }
    const trained = performance.now();
    const quantized: QuantizedResult[] = [];
    for (const precision of WEIGHT_PRECISIONS) quantized.push(await measureQuantized(classifier, data.test, precision));
    const compressing = performance.now();
    const result = await compressModel(tf, model, data, {
      batchSize: BATCH,
      keep,
      seed,
      onProgress: ({ stage, done, total, loss }) =>
        progress(`seed ${seed}: ${stage} ${done} of ${total}${loss === undefined ? "" : `: loss ${loss.toFixed(4)}`}`),
    });
    const { accuracy, size, file, denseBytes } = result;
    return {
      seed,
      accuracy,
      size,
      fileBytes: file.length,
      denseBytes,
      quantized,
      trainingMs: trained - start,
      compressionMs: performance.now() - compressing,
      peakDeviceBytes: session.report().peakDeviceBytes,
    };
  } finally {
    model.dispose();
    await session.dispose();
  }
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new UsageError(`--keep: expected a share above 0 and up to 1, got "${text}"`);
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const [network = "lenet300"] = choices(options.network, "network", COMPRESS_NETWORKS);
  const keep = share(options.keep);
  const seeds = options.seeds.split(",").map((seed) => integer(seed, "seeds"));
  const counts = { trainCount: integer(options.train, "train"), testCount: integer(options.test, "test") };
  const data = options.data === "" ? drawnDigits(counts) : await readMnist(options.data);
  const deviceMemory = options.device === "" ? null : options.device;
  const loaded = await loadTensorFlow(backendOption(options.backend, { blocking: true }));
  const trials: CompressTrial[] = [];
  for (const seed of seeds) trials.push(await runTrial(loaded.tf, { network, data, keep, deviceMemory }, seed));
  const result: CompressResult = {
    schema: "vdnn-bench-compress/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    network,
    data: options.data === "" ? "drawn digits" : options.data,
    trainImages: data.train.count,
    testImages: data.test.count,
    keep,
    deviceMemory,
    trials,
  };
  publish(options.json, result, compressTables(result));
});
