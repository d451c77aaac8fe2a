/** Training, measuring and compressing a model on images, all of it in one session of vdnn. */
import type { LayersModel } from "@tensorflow/tfjs";
import type { BackendName } from "../backends/load.ts";
import { adam, type Classifier, crossEntropy, train } from "../compression/training/classifier.ts";
import { compressModel, type CompressionResult } from "../compression/training/compress.ts";
import { modelLayers } from "../compression/training/layers.ts";
import { type CompressionOptions, type Progress, resolveCompression } from "../compression/training/options.ts";
import { measureQuantized, type QuantizedResult, WEIGHT_PRECISIONS } from "../compression/training/quantized.ts";
import { measureSensitivities, type Sensitivities } from "../compression/training/sensitivity.ts";
import { slice } from "../data/images.ts";
import type { SessionReport } from "../report/result.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import type { VirtualizeOptions } from "../runtime/options.ts";
import { virtualize } from "../platforms/node.ts";
import type { CompressFlags } from "./compress-options.ts";
import { compressionOptions, trainingPhases } from "./compress-settings.ts";
import { imagesFor, loadSubject, type Origin, requireFit } from "./compress-subject.ts";

export interface Subject {
  readonly tf: TensorFlow;
  readonly backend: BackendName;
  readonly name: string;
  readonly origin: Origin;
}

export interface TrainedCompression {
  readonly result: CompressionResult;
  readonly images: { readonly title: string; readonly train: number; readonly test: number };
  /** Epochs before the compression. */
  readonly epochs: number;
  readonly options: CompressionOptions;
  /** Of the dense model, as asked for. */
  readonly quantized: readonly QuantizedResult[];
  /** Chosen by, or asked for. */
  readonly sensitivities: Sensitivities | null;
  readonly report: SessionReport;
  readonly wallMs: number;
}

export interface Callbacks {
  readonly signal: AbortSignal;
  readonly show: (text: string) => void;
}

export async function trainAndCompress(
  { tf, name, origin }: Subject,
  flags: CompressFlags,
  settings: VirtualizeOptions,
  { signal, show }: Callbacks,
): Promise<TrainedCompression> {
  const started = performance.now();
  const session = await virtualize(tf, settings);
  let model: LayersModel | null = null;
  try {
    show(`loading ${name}`);
    model = await loadSubject(tf, name, origin, flags);
    const { title, data } = await imagesFor(model, flags);
    const { batch: batchSize = 128, seed } = flags;
    const classifier: Classifier = { tf, model, data, batchSize, loss: crossEntropy, optimizer: adam, seed, signal };
    const options = compressionOptions(flags);
    // Everything that can be wrong is found before hours of training and not after.
    requireFit(classifier, name);
    const { prunable } = await modelLayers(model);
    const { sensitivityImages, sensitivityShares } = resolveCompression(options, prunable);

    const epochs = await trainFirst(classifier, flags, origin, show);
    const quantized: QuantizedResult[] = [];
    for (const precision of WEIGHT_PRECISIONS) {
      if (flags[precision] === true) quantized.push(await measureQuantized(classifier, data.test, precision));
    }
    // A share is chosen by them anyway; a threshold is not.
    const asked =
      flags.sensitivity === true && flags.prune === undefined
        ? await measureSensitivities(
            classifier,
            prunable,
            slice(data.train, 0, sensitivityImages),
            sensitivityShares,
            (layer) => show(`${name}: sensitivity of ${layer}`),
          )
        : null;
    const result = await compressModel(tf, model, data, {
      ...options,
      signal,
      onProgress: (progress) => show(`${name}: ${textOf(progress)}`),
    });
    return {
      result,
      images: { title, train: data.train.count, test: data.test.count },
      epochs,
      options,
      quantized,
      sensitivities: asked ?? result.sensitivities,
      report: session.report(),
      wallMs: performance.now() - started,
    };
  } finally {
    model?.dispose();
    await session.dispose();
  }
}

/** @returns the epochs that it took */
async function trainFirst(
  classifier: Classifier,
  flags: CompressFlags,
  origin: Origin,
  show: Callbacks["show"],
): Promise<number> {
  const phases = trainingPhases(flags, origin);
  const total = phases.reduce((sum, { epochs }) => sum + epochs, 0);
  let done = 0;
  for (const [i, phase] of phases.entries()) {
    await train(classifier, phase, `dense/${i}`, undefined, (_, { loss }) =>
      show(`${classifier.model.name}: training, epoch ${++done} of ${total}: loss ${loss.toFixed(4)}`),
    );
  }
  return total;
}

function textOf({ stage, done, total, loss }: Progress): string {
  return `${stage} ${done} of ${total}${loss === undefined ? "" : `: loss ${loss.toFixed(4)}`}`;
}
