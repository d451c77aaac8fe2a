/**
 * One run, from loading TensorFlow.js to the files: stock without a limit, vdnn under the budget, or stock under the same cap. What
 * happens is told as it happens; nothing is thrown from here.
 */
import type { LayersModel, Optimizer, Tensor } from "@tensorflow/tfjs";
import {
  formatBytes,
  type IterationResult,
  type Session,
  type TensorFlow,
  type TraceEvent,
  VdnnError,
  virtualize,
} from "vdnn";
import { toChromeTrace } from "vdnn/report";
import { findNetwork, type Network } from "vdnn/networks";
import type { Failure, MemorySample, Message, RunFiles, StartRequest } from "../protocol.ts";
import { clockResolution } from "./clock.ts";
import { BitHash } from "./fingerprint.ts";
import { loadFirst } from "./load.ts";
import { type AllocationMeter, meterFor } from "./meter.ts";
import { loseDevice } from "./fault.ts";

/** Between two pictures of the step that ran last, and two samples of memory, ms. */
const PICTURE_MS = 250;
const MEMORY_MS = 200;
const LEARNING_RATE = 0.001;
const CLASSES = 10;
/** Batches that training goes through again and again, as it would through a data set; few, so that the loss falls soon. */
const BATCHES = 4;
/** Longer runs are traced in their first and last step alone: every event of every step would fill the memory of a phone. */
const MOST_TRACED_STEPS = 100;
/** When a failure is to be made on purpose: late enough that a plan is followed. */
const FAULT_STEP = 3;

type Post = (message: Message) => void;

interface Run {
  readonly request: StartRequest;
  readonly tf: TensorFlow;
  readonly meter: AllocationMeter;
  /** Null for stock under the cap: nothing of vdnn is near it. */
  readonly session: Session | null;
  readonly model: LayersModel;
  readonly optimizer: Optimizer;
  readonly network: Network;
  /** The one that ended last; null before the first, and without a session. */
  readonly lastIteration: () => IterationResult | null;
  readonly post: Post;
}

export async function executeRun(request: StartRequest, stop: AbortSignal, post: Post): Promise<void> {
  const { run } = request;
  let step: number | null = null;
  let session: Session | null = null;
  let meter: AllocationMeter | null = null;
  try {
    const { tf, backend, skipped } = await loadFirst(request.backends);
    meter = meterFor(tf, backend);
    let last: IterationResult | null = null;
    session = await openSession(tf, request, (iteration) => (last = iteration));
    if (request.limitBytes !== null) meter.cap(request.limitBytes, run === "limited" ? "throw" : "as-device");
    const { settings } = request;
    const network = findNetwork(settings.network);
    const model = network.build(tf, networkOptions(network, settings));
    const optimizer = tf.train.adam(LEARNING_RATE);
    model.compile({ optimizer, loss: network.loss });
    post({
      kind: "loaded",
      run,
      facts: {
        backend,
        skipped,
        parameters: model.countParams(),
        layers: model.layers.length,
        meter: meter.about,
        clockMs: clockResolution(),
      },
    });
    const training = { request, tf, meter, session, model, optimizer, network, lastIteration: () => last, post };
    const how = await train(training, stop, (index) => (step = index));
    post({ kind: "ended", run, how, files: filesOf(session, request) });
  } catch (error) {
    const memory = meter === null ? null : sampleOf(meter, session);
    post({ kind: "failed", run, failure: failureOf(error, step), memory, files: filesOf(session, request) });
  }
}

async function openSession(
  tf: TensorFlow,
  { run, settings, limitBytes, steps }: StartRequest,
  onIteration: (iteration: IterationResult) => void,
): Promise<Session | null> {
  if (run === "limited") return null;
  if (run === "reference") return virtualize(tf, { policy: "none", history: true, onIteration });
  return virtualize(tf, {
    policy: settings.policy,
    history: true,
    trace: steps <= MOST_TRACED_STEPS,
    onIteration,
    ...(limitBytes === null ? {} : { deviceMemory: limitBytes }),
  });
}

function networkOptions({ defaults }: Network, settings: StartRequest["settings"]): Parameters<Network["build"]>[1] {
  const { depth, width, side, seed } = settings;
  return {
    width,
    seed,
    classes: CLASSES,
    ...(defaults.depth === 0 ? {} : { depth }),
    ...(defaults.imageSize === 0 ? { sequenceLength: side } : { imageSize: side }),
  };
}

async function train(
  training: Run,
  stop: AbortSignal,
  onStep: (index: number) => void,
): Promise<"finished" | "stopped"> {
  const { request, tf, meter, session, model, network, lastIteration, post } = training;
  const { run, settings, steps, compareAfter } = request;
  const sampling = setInterval(() => post({ kind: "memory", run, memory: sampleOf(meter, session) }), MEMORY_MS);
  const losses: number[] = [];
  let pictured = Number.NEGATIVE_INFINITY;
  try {
    for (let index = 0; index < steps; index++) {
      onStep(index);
      if (settings.fault === "device-lost" && run === "vdnn" && index === FAULT_STEP) loseDevice(tf);
      const { xs, ys } = network.batch(tf, model, settings.batch, settings.seed + (index % BATCHES));
      const start = performance.now();
      const loss = Number([await model.trainOnBatch(xs, ys)].flat()[0]);
      const wallMs = performance.now() - start;
      tf.dispose([xs, ys]);
      if (run !== "vdnn") refuseGarbage(meter, loss);
      losses.push(loss);
      const iteration = lastIteration();
      post({ kind: "step", run, step: { index, loss, wallMs, iteration, memory: sampleOf(meter, session) } });
      if (losses.length === compareAfter) {
        const hash = await hashOf(losses, model.getWeights());
        post({ kind: "fingerprint", run, fingerprint: { steps: compareAfter, losses: [...losses], hash } });
      }
      const isLast = index === steps - 1 || stop.aborted;
      if (session !== null && (isLast || performance.now() - pictured > PICTURE_MS)) {
        pictured = performance.now();
        postPicture(session, request, post);
      }
      // Lets the page's messages in.
      await new Promise((resolve) => setTimeout(resolve));
      if (stop.aborted) return "stopped";
    }
    return "finished";
  } finally {
    clearInterval(sampling);
  }
}

/** TensorFlow.js does not notice a buffer that the device refused; what it returns then are no numbers of this network's. */
function refuseGarbage({ refusal }: AllocationMeter, loss: number): void {
  if (refusal === null) return;
  const { neededBytes, allocatedBytes, error } = refusal;
  throw new VdnnError(
    "ERR_OUT_OF_MEMORY",
    `the device refused ${formatBytes(neededBytes)} with ${formatBytes(allocatedBytes)} allocated (${error}); TensorFlow.js ` +
      `does not look at that: it went on with buffers that hold nothing, and returned a loss of ${String(loss)}`,
    { neededBytes, allocatedBytes },
  );
}

async function hashOf(losses: readonly number[], weights: readonly Tensor[]): Promise<string> {
  const hash = new BitHash().add(Float32Array.from(losses));
  for (const weight of weights) hash.add(await weight.data());
  return hash.text;
}

function postPicture(session: Session, { run }: StartRequest, post: Post): void {
  const history = session.history();
  const last = history?.steps.at(-1);
  if (history === null || last === undefined) return;
  const { index, mode, events } = last;
  post({
    kind: "picture",
    run,
    picture: { index, mode, events, memory: history.memory, startsMs: history.startsMs },
  });
}

function sampleOf(meter: AllocationMeter, session: Session | null): MemorySample {
  return {
    inUseBytes: session?.deviceBytes ?? null,
    allocatedBytes: meter.allocatedBytes,
    peakAllocatedBytes: meter.peakBytes,
    hostBytes: session?.history()?.memory.at(-1)?.hostBytes ?? 0,
  };
}

/** Null for stock, which has nothing to trace, and before there is a step. */
function filesOf(session: Session | null, { run, settings }: StartRequest): RunFiles | null {
  if (session === null || run !== "vdnn") return null;
  const { network, depth, batch } = settings;
  const title = `vdnn ${settings.policy}: ${network}${depth === 0 ? "" : ` ${depth}`}, batch ${batch}`;
  try {
    const report = session.report();
    if (report.iterations.length === 0) return null;
    return { trace: json(toChromeTrace(eventsOf(session), title)), report: json(report) };
  } catch {
    // After a lost device nothing more may be known.
    return null;
  }
}

function eventsOf(session: Session): readonly TraceEvent[] {
  const events = session.trace();
  return events.length > 0 ? events : (session.history()?.steps ?? []).flatMap((step) => step.events);
}

function json(value: unknown): Blob {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
}

function failureOf(error: unknown, step: number | null): Failure {
  if (error instanceof VdnnError) return { code: error.code, message: error.message, step };
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof RangeError ? "ERR_OUT_OF_MEMORY" : "ERR_UNEXPECTED", message, step };
}
