/**
 * `vdnn demo`, which `npm start` runs: one convolutional network under stock TensorFlow.js, then under policies with a quarter of
 * the memory that stock was measured to need. Stock runs first and last, so that a machine that slows down meanwhile shows.
 */
import { type BackendName, loadTensorFlow } from "../backends/load.ts";
import { registerWasmTrainingKernels } from "../backends/wasm-kernels.ts";
import { hasCode, VdnnError } from "../errors.ts";
import { isHtml, writeReport } from "../report/file.ts";
import { findNetwork } from "../networks/index.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import type { VirtualizeOptions } from "../runtime/options.ts";
import { type DemoRow, renderDemo } from "./demo-table.ts";
import { demoPage } from "./demo-page.ts";
import { reportFile } from "./options.ts";
import { tellSoftware } from "./software-adapter.ts";
import { createProgress } from "./progress.ts";
import {
  isIdentical,
  median,
  showSteps,
  trainNetwork,
  type Training,
  type TrainingResult,
  withoutRecords,
} from "./training.ts";

export interface DemoFlags {
  readonly backend: BackendName;
  readonly network: string;
  readonly depth?: number;
  readonly width?: number;
  readonly imageSize: number;
  readonly batch: number;
  readonly steps: number;
  readonly budgetShare: number;
  readonly report?: string;
  readonly json?: boolean;
}

const BUDGETED = ["vdnn-all", "vdnn-conv", "vdnn-dyn", "auto"] as const;
const CLASSES = 10;
const SEED = 1;
const WARM_UP_STEPS = 3;
/** Sizes for a software adapter. */
const SMALL = "--network chain --depth 6 --width 8 --image-size 16 --batch 4 --steps 4";

/** Runs and prints it; returns 1 when a result differs from stock's, 3 when a policy does not fit, else 0. */
export async function demo(flags: DemoFlags): Promise<number> {
  const started = performance.now();
  const report = reportFile(flags);
  const { tf, backend, adapter } = await loadTensorFlow(flags.backend);
  tellSoftware(adapter, SMALL);
  // The same kernels for stock and for vdnn, or the comparison would be of kernels.
  if (backend === "wasm") registerWasmTrainingKernels(tf, { fastInputGradient: true });
  const { depth, width, imageSize } = flags;
  const training: Training = {
    network: findNetwork(flags.network),
    networkOptions: { depth, width, imageSize, classes: CLASSES, seed: SEED },
    batchSize: flags.batch,
    steps: flags.steps,
    optimizer: "adam",
    learningRate: 0.001,
    seed: SEED,
  };
  // For all runs alike, stock among them: recording takes its microseconds.
  const runs = createRuns(tf, training, isHtml(report));
  await runs.warmUp();
  const stock = await runs.train("stock", { policy: "none" });
  const budgetBytes = Math.floor(stock.report.peakDeviceBytes * flags.budgetShare);
  const liveness = await runs.train("liveness", { policy: "liveness" });
  const budgeted: { policy: string; result: TrainingResult | VdnnError }[] = [];
  for (const policy of BUDGETED) {
    budgeted.push({ policy, result: await runs.tryTrain(policy, { policy, deviceMemory: budgetBytes }) });
  }
  const stockAgain = await runs.train("stock, again", { policy: "none" });
  runs.done();

  const stockMs = median([...timesOf(stock), ...timesOf(stockAgain)]);
  const oracleMs = Math.min(stockMs, liveness.steady.medianMs);
  const row = (policy: string, budget: number | null, result: TrainingResult | VdnnError): DemoRow =>
    result instanceof VdnnError
      ? { policy, budgetBytes: budget, failure: result.message }
      : { policy, budgetBytes: budget, result, stockMs, oracleMs, identical: isIdentical(stock, result) };
  const rows = [
    row("stock", null, stock),
    row("stock, again", null, stockAgain),
    row("liveness", null, liveness),
    ...budgeted.map(({ policy, result }) => row(policy, budgetBytes, result)),
  ];
  const seconds = (performance.now() - started) / 1000;
  const facts = { training, backend, budgetBytes, budgetShare: flags.budgetShare, stock, stockAgain, seconds };
  if (report !== undefined) writeReport(report, { json: () => toJson(facts, rows), page: () => demoPage(facts, rows) });
  process.stdout.write(flags.json === true ? toJson(facts, rows) : renderDemo(facts, rows));
  if (rows.some((each) => "failure" in each)) return 3;
  return rows.every((each) => !("failure" in each) && each.identical) ? 0 : 1;
}

export interface DemoFacts {
  readonly training: Training;
  readonly backend: string;
  readonly budgetBytes: number;
  readonly budgetShare: number;
  readonly stock: TrainingResult;
  readonly stockAgain: TrainingResult;
  readonly seconds: number;
}

interface Runs {
  warmUp(): Promise<void>;
  train(title: string, options: VirtualizeOptions): Promise<TrainingResult>;
  /** Returns the error when it does not fit. */
  tryTrain(title: string, options: VirtualizeOptions): Promise<TrainingResult | VdnnError>;
  done(): void;
}

function createRuns(tf: TensorFlow, training: Training, history: boolean): Runs {
  const progress = createProgress();
  const train: Runs["train"] = (title, options) =>
    trainNetwork(tf, training, { ...options, history }, showSteps(progress, title, training));
  return {
    train,
    async warmUp() {
      // The first steps of a process compile code and grow heaps.
      progress.show("warming up");
      await trainNetwork(tf, { ...training, steps: Math.min(WARM_UP_STEPS, training.steps) }, { policy: "none" });
    },
    async tryTrain(title, options) {
      try {
        return await train(title, options);
      } catch (error) {
        if (hasCode(error, "ERR_OUT_OF_MEMORY")) return error;
        throw error;
      }
    },
    done: () => progress.clear(),
  };
}

/** Step times without the first, which is recorded. */
function timesOf({ steps }: TrainingResult): number[] {
  return steps.slice(1).map(({ wallMs }) => wallMs);
}

function toJson(facts: DemoFacts, rows: readonly DemoRow[]): string {
  const { training, backend, budgetBytes, seconds } = facts;
  const { network, ...settings } = training;
  const runs = rows.map((row) => ("failure" in row ? row : { ...row, result: withoutRecords(row.result) }));
  const head = {
    schema: "vdnn-demo/1",
    source: "measured",
    backend,
    network: network.name,
    ...settings,
    budgetBytes,
    seconds,
  };
  return `${JSON.stringify({ ...head, runs })}\n`;
}
