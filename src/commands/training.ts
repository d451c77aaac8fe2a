/**
 * Trains a built-in network on generated data for a number of steps under the options of one session, and returns what there is
 * to compare: losses, a hash of all weights, times and the session's report. `train`, `demo` and their comparisons are calls of it.
 */
import { createHash } from "node:crypto";
import type { Optimizer } from "@tensorflow/tfjs";
import type { Graph } from "../graph/graph.ts";
import type { Network, NetworkOptions } from "../networks/index.ts";
import type { TraceHistory } from "../report/history.ts";
import type { IterationResult, SessionReport, TraceEvent } from "../report/result.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import type { VirtualizeOptions } from "../runtime/options.ts";
import { virtualize } from "../platforms/node.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { OptimizerName } from "./optimizers.ts";
import type { Progress } from "./progress.ts";

export interface Training {
  readonly network: Network;
  readonly networkOptions: NetworkOptions;
  readonly batchSize: number;
  readonly steps: number;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  /** Of the data; step n has the batch of seed + n. The network's own seed is in its options. */
  readonly seed: number;
}

export interface TrainedStep {
  readonly index: number;
  readonly loss: number;
  /** Wall time of `trainOnBatch`, the loss read back, ms. */
  readonly wallMs: number;
}

export interface TrainingResult {
  readonly policy: string;
  readonly steps: readonly TrainedStep[];
  readonly losses: readonly number[];
  /** SHA-256 over the bytes of all weights, in the model's order. */
  readonly weightsSha256: string;
  readonly parameters: number;
  readonly layers: number;
  readonly report: SessionReport;
  readonly graph: Graph | null;
  readonly trace: readonly TraceEvent[];
  readonly history: TraceHistory | null;
  readonly steady: SteadyState;
}

/**
 * What the steps after the first look like. The first is recorded without a plan; a run of one step has only that. What is typical is
 * the median of the iterations that the report has in detail.
 */
export interface SteadyState {
  readonly medianMs: number;
  readonly minMs: number;
  readonly peakDeviceBytes: number;
  /** Offloaded and brought back, per step (median). */
  readonly movedBytes: number;
  readonly spilledBytes: number;
  readonly stallMs: number;
  readonly demandFetches: number;
}

/** Called after each step, with the iteration as it was measured. */
export type OnStep = (step: TrainedStep, iteration: IterationResult | undefined) => void;

const MOMENTUM = 0.9;

/**
 * @throws VdnnError what `virtualize` throws; `ERR_OUT_OF_MEMORY` and `ERR_HOST_MEMORY` when it does not fit
 */
export async function trainNetwork(
  tf: TensorFlow,
  training: Training,
  options: VirtualizeOptions,
  onStep: OnStep = () => undefined,
): Promise<TrainingResult> {
  const { network, batchSize, seed } = training;
  let last: IterationResult | undefined;
  const session = await virtualize(tf, { ...options, onIteration: (iteration) => (last = iteration) });
  try {
    const model = network.build(tf, training.networkOptions);
    const optimizer = createOptimizer(tf, training.optimizer, training.learningRate);
    model.compile({ optimizer, loss: network.loss });
    const steps: TrainedStep[] = [];
    for (let index = 0; index < training.steps; index++) {
      const { xs, ys } = network.batch(tf, model, batchSize, seed + index);
      const start = performance.now();
      const loss = Number([await model.trainOnBatch(xs, ys)].flat()[0]);
      const step = { index, loss, wallMs: performance.now() - start };
      tf.dispose([xs, ys]);
      steps.push(step);
      onStep(step, last);
    }
    const weights = model.getWeights();
    const hash = createHash("sha256");
    for (const weight of weights) hash.update(bytesOf(await weight.data()));
    const report = session.report();
    const result = {
      policy: report.policy,
      steps,
      losses: steps.map(({ loss }) => loss),
      weightsSha256: hash.digest("hex"),
      parameters: weights.reduce((sum, { size }) => sum + size, 0),
      layers: model.layers.length,
      report,
      graph: session.recorded()?.graph ?? null,
      trace: [...session.trace()],
      history: session.history(),
      steady: steadyState(steps, report),
    };
    model.dispose();
    optimizer.dispose();
    return result;
  } finally {
    await session.dispose();
  }
}

/** Says on the progress line that the network is being built, and returns what then says how each step went. */
export function showSteps(progress: Progress, title: string, { network, steps }: Training): OnStep {
  progress.show(`${title}: building ${network.name}`);
  return ({ index, loss, wallMs }, iteration) =>
    progress.show(
      `${title}: step ${index + 1} of ${steps}  loss ${loss.toFixed(4)}  ${formatMs(wallMs)}  ` +
        `device peak ${formatBytes(iteration?.peakDeviceBytes ?? 0)}`,
    );
}

/** A result without its graph and its events, which have files of their own. */
export function withoutRecords(result: TrainingResult): Omit<TrainingResult, "graph" | "trace" | "history"> {
  const { policy, steps, losses, weightsSha256, parameters, layers, report, steady } = result;
  return { policy, steps, losses, weightsSha256, parameters, layers, report, steady };
}

/** True where two runs gave the same losses and weights, to the bit. */
export function isIdentical(a: TrainingResult, b: TrainingResult): boolean {
  const sameLosses = a.losses.length === b.losses.length && a.losses.every((loss, i) => Object.is(loss, b.losses[i]));
  return sameLosses && a.weightsSha256 === b.weightsSha256;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function steadyState(allSteps: readonly TrainedStep[], report: SessionReport): SteadyState {
  const skipped = allSteps.length > 1 ? 1 : 0;
  const wallMs = allSteps.slice(skipped).map((step) => step.wallMs);
  const iterations = report.iterations.slice(skipped);
  const typical = (value: (iteration: IterationResult) => number): number => median(iterations.map(value));
  return {
    medianMs: median(wallMs),
    minMs: wallMs.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY),
    peakDeviceBytes: report.laterPeakDeviceBytes ?? report.iterations[0]?.peakDeviceBytes ?? 0,
    movedBytes: typical(({ offloadBytes, prefetchBytes }) => offloadBytes + prefetchBytes),
    spilledBytes: typical(({ spillWriteBytes, spillReadBytes }) => spillWriteBytes + spillReadBytes),
    stallMs: typical(({ stallMs }) => stallMs),
    demandFetches: typical(({ demandFetches }) => demandFetches),
  };
}

function createOptimizer(tf: TensorFlow, name: OptimizerName, learningRate: number): Optimizer {
  switch (name) {
    case "momentum":
      return tf.train.momentum(learningRate, MOMENTUM);
    case "sgd":
    case "rmsprop":
    case "adagrad":
    case "adadelta":
    case "adam":
    case "adamax":
      return tf.train[name](learningRate);
  }
  return name satisfies never;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
