/**
 * `vdnn train`: a built-in network on generated data under a policy, with progress, ending in a table. `--compare` trains the
 * same under stock TensorFlow.js first, in the same process, and says whether the results are the same bits.
 */
import { type BackendName, loadTensorFlow } from "../backends/load.ts";
import { registerWasmTrainingKernels } from "../backends/wasm-kernels.ts";
import { writeGraph } from "../graph/file.ts";
import { createLogger } from "../logger.ts";
import { findNetwork } from "../networks/index.ts";
import { isHtml, writeReport } from "../report/file.ts";
import { jsonText, writeJson } from "../report/json.ts";
import { recordedTimesNote } from "../report/summary.ts";
import { renderTable } from "../report/table.ts";
import { toChromeTrace } from "../report/trace-events.ts";
import { formatBytes } from "../units.ts";
import { absoluteFiles, type FileFlags, type SessionFlags, sessionSettings } from "./options.ts";
import type { OptimizerName } from "./optimizers.ts";
import { createProgress } from "./progress.ts";
import { tellSoftware } from "./software-adapter.ts";
import { measureColumns, MEASURES } from "./train-measures.ts";
import { trainPage } from "./train-page.ts";
import {
  isIdentical,
  type OnStep,
  showSteps,
  trainNetwork,
  type Training,
  type TrainingResult,
  withoutRecords,
} from "./training.ts";

export interface TrainFlags extends SessionFlags, FileFlags {
  readonly network: string;
  readonly depth?: number;
  readonly width?: number;
  readonly imageSize?: number;
  readonly sequenceLength?: number;
  readonly vocabulary?: number;
  readonly classes?: number;
  readonly batch: number;
  readonly steps: number;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly seed: number;
  readonly backend?: BackendName;
  readonly fastInputGradient?: boolean;
  readonly compare?: boolean;
  readonly json?: boolean;
}

/** Sizes for a software adapter. */
const SMALL = "--depth 4 --width 8 --image-size 16 --batch 4 --steps 3";

/** Trains, prints the result, and returns the exit code: 1 when a comparison finds a difference. */
export async function train(flags: TrainFlags): Promise<number> {
  const training = trainingOf(flags);
  const settings = sessionSettings(flags);
  const files = absoluteFiles(flags);
  const { tf, backend, adapter } = await loadTensorFlow(flags.backend);
  tellSoftware(adapter, SMALL);
  if (backend === "wasm" && flags.fastInputGradient === true)
    registerWasmTrainingKernels(tf, { fastInputGradient: true });
  const logger = createLogger(flags.logLevel);
  const progress = createProgress();
  const show = (policy: string): OnStep => showSteps(progress, policy, training);
  // Of both runs alike, as recording takes its microseconds.
  const history = isHtml(files.report);
  const runs: TrainingResult[] = [];
  try {
    if (flags.compare === true) runs.push(await trainNetwork(tf, training, { policy: "none", history }, show("stock")));
    const options = {
      ...settings,
      history,
      trace: files.trace !== undefined,
      ...(logger === undefined ? {} : { logger }),
    };
    runs.push(await trainNetwork(tf, training, options, show(flags.policy)));
  } finally {
    progress.clear();
  }
  const result = runs.at(-1) as TrainingResult;
  const stock = flags.compare === true ? runs[0] : undefined;
  if (files.report !== undefined) {
    writeReport(files.report, {
      json: () => jsonText(result.report),
      page: () => trainPage(training, backend, result, stock),
    });
  }
  if (files.trace !== undefined)
    writeJson(files.trace, toChromeTrace(result.trace, `vdnn ${result.policy} on ${backend}`));
  if (files.record !== undefined) {
    if (result.graph === null) {
      process.stderr.write(`vdnn: --record: not written, as policy ${result.policy} recorded no iteration\n`);
    } else {
      await writeGraph(files.record, result.graph);
      const note = recordedTimesNote(backend);
      if (note !== "") process.stderr.write(`vdnn: recorded ${files.record}${note}\n`);
    }
  }
  const identical = stock === undefined ? null : isIdentical(stock, result);
  process.stdout.write(
    flags.json === true ? toJson(training, backend, result, stock) : renderResult(training, backend, result, stock),
  );
  return identical === false ? 1 : 0;
}

function trainingOf(flags: TrainFlags): Training {
  const { depth, width, imageSize, sequenceLength, vocabulary, classes, seed } = flags;
  return {
    network: findNetwork(flags.network),
    networkOptions: { depth, width, imageSize, sequenceLength, vocabulary, classes, seed },
    batchSize: flags.batch,
    steps: flags.steps,
    optimizer: flags.optimizer,
    learningRate: flags.learningRate,
    seed,
  };
}

function toJson(
  training: Training,
  backend: string,
  result: TrainingResult,
  stock: TrainingResult | undefined,
): string {
  const { network, ...settings } = training;
  const comparison =
    stock === undefined
      ? null
      : {
          stock: withoutRecords(stock),
          peakRatio: result.steady.peakDeviceBytes / stock.steady.peakDeviceBytes,
          stepRatio: result.steady.medianMs / stock.steady.medianMs,
          identical: isIdentical(stock, result),
        };
  const document = { schema: "vdnn-train/1", source: "measured", backend, network: network.name, ...settings };
  return `${JSON.stringify({ ...document, result: withoutRecords(result), comparison })}\n`;
}

function renderResult(
  training: Training,
  backend: string,
  result: TrainingResult,
  stock: TrainingResult | undefined,
): string {
  const { network, batchSize, steps, optimizer } = training;
  const { report, layers, parameters, losses } = result;
  const budget = report.deviceMemoryBytes === null ? "none" : formatBytes(report.deviceMemoryBytes);
  const plans = [...new Set(report.plans.map(({ policy }) => policy))].join("; ") || "none";
  return [
    `${network.name}: ${layers} layers, ${parameters} weights, batch ${batchSize}, ${steps} steps of ${optimizer}, backend ${backend}`,
    `device budget ${budget}, plan ${plans}`,
    `losses ${losses.map((loss) => loss.toFixed(4)).join(" ")}`,
    "",
    ...renderTable(measureColumns(result, stock), MEASURES),
    ...(stock === undefined
      ? []
      : ["", `losses and weights ${isIdentical(stock, result) ? "are bit-identical" : "DIFFER"}`]),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    "",
  ].join("\n");
}
