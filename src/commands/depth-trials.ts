/**
 * How one size is tried under one policy: by a plan for a simulated GPU, or by a real run in a process of its own.
 *
 * A real run fails in the way that the backend can fail:
 *   tensorflow   TensorFlow's own allocator is capped at the budget, so that a failure is its own. vdnn's session gets less, by a
 *                headroom: the cap also counts convolutions' scratch memory and what is lost to fragmentation. How much that is
 *                nobody knows before, so where the allocator refuses, more headroom is tried.
 *   others       have no allocator that could be capped there: the session's hard budget decides. Stock has no budget to keep, so its
 *                metered peak is compared with it.
 */
import type { BackendName } from "../backends/load.ts";
import type { NetworkOptions, TensorFlow } from "../networks/network.ts";
import { dryRun, smallestFeasibleBytes } from "../plan/ledger.ts";
import { findPolicy } from "../plan/policies/index.ts";
import { none } from "../plan/policies/none.ts";
import { timed } from "../simulator/kernel-times.ts";
import { plannerMachine, type SimulatedMachine } from "../simulator/machines.ts";
import { networkGraph } from "../simulator/networks.ts";
import { simulate } from "../simulator/simulate.ts";
import type { WorkGraph } from "../simulator/work.ts";
import { formatBytes } from "../units.ts";
import type { TrialOutcome } from "./largest.ts";
import type { OptimizerName } from "./optimizers.ts";
import { policyName, STOCK } from "./policy-names.ts";
import { cappedAllocator, runTrial, type TrialEnd, type TrialSpec } from "./trial-process.ts";
import { settledSteps } from "./settled.ts";
import { median, type TrainedStep } from "./training.ts";

/** What is known of a size that trains. */
export interface TrialFacts {
  readonly stepMs: number;
  readonly peakDeviceBytes: number;
  /** Share of the budget that was left to what the ledger does not see. */
  readonly headroom?: number;
}

export type SizedOutcome = TrialOutcome & { readonly facts?: TrialFacts };

export type OnTrialStep = (step: TrainedStep) => void;

export interface DepthTrials {
  /** A second trial of the same size has the same outcome. */
  readonly deterministic: boolean;
  /** @param onStep called after each step of a real run */
  trial(policy: string, size: number, onStep?: OnTrialStep): SizedOutcome | Promise<SizedOutcome>;
}

export interface Subject {
  readonly network: string;
  readonly searched: "depth" | "batch";
  /** Of the one that is not searched. */
  readonly depth: number | undefined;
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly sizes: NetworkOptions;
}

/** Memory-optimal algorithms: what does not fit by these does not fit. */
const LEAST_MEMORY = "m";

export function simulatedTrials(tf: TensorFlow, machine: SimulatedMachine, subject: Subject): DepthTrials {
  const { network, searched, sizes, optimizer } = subject;
  // The policies take turns at the same sizes.
  const made = new Map<number, WorkGraph>();
  const workOf = (size: number): WorkGraph => {
    const work =
      made.get(size) ??
      networkGraph(tf, {
        network,
        batch: searched === "batch" ? size : subject.batch,
        optimizer: optimizer === "sgd" || optimizer === "momentum" || optimizer === "adam" ? optimizer : undefined,
        sizes: { ...sizes, depth: searched === "depth" ? size : subject.depth },
      });
    made.set(size, work);
    return work;
  };
  return {
    deterministic: true,
    trial: (policy, size) => simulatedTrial(workOf(size), machine, policy),
  };
}

function simulatedTrial(work: WorkGraph, machine: SimulatedMachine, policy: string): SizedOutcome {
  const { deviceBytes } = machine;
  const graph = timed(work, machine, { algorithms: () => LEAST_MEMORY });
  if (policy === STOCK) {
    const { steps } = none.decide(graph, plannerMachine(machine));
    const { peakDeviceBytes } = dryRun(graph, steps);
    if (peakDeviceBytes > deviceBytes) return tooLarge(peakDeviceBytes, deviceBytes);
    return { kind: "trains", facts: { peakDeviceBytes, stepMs: graph.kernels.reduce((sum, { ms }) => sum + ms, 0) } };
  }
  const least = smallestFeasibleBytes(graph, (t) => graph.tensors[t]?.role !== "weight").bytes;
  if (least > deviceBytes) return tooLarge(least, deviceBytes);
  const [run] = simulate({ work, machine, policies: [policy], algorithm: LEAST_MEMORY }).runs;
  if (run === undefined) return { kind: "crash", reason: `${policy} made no plan` };
  const { fits, peakDeviceBytes, peakHostBytes, stepMs } = run.result;
  if (fits) return { kind: "trains", facts: { peakDeviceBytes, stepMs } };
  return peakDeviceBytes > deviceBytes
    ? tooLarge(peakDeviceBytes, deviceBytes)
    : tooLarge(peakHostBytes, machine.hostBytes, "host");
}

function tooLarge(needBytes: number, budgetBytes: number, what = "device"): SizedOutcome {
  const reason = `needs ${formatBytes(needBytes)} of ${what} memory, ${formatBytes(budgetBytes)} is there`;
  return { kind: "too-large", reason };
}

export interface RealOptions {
  readonly backend: BackendName;
  readonly deviceBytes: number;
  readonly hostBytes: number | undefined;
  readonly steps: number;
  readonly timeoutMs: number;
  /** Shares of the budget, ascending, tried in this order where TensorFlow's allocator is capped. */
  readonly headrooms: readonly number[];
  /** Default: a process of its own. */
  readonly run?: typeof runTrial;
}

const LEARNING_RATE = 0.001;
const SEED = 1;

export function realTrials(subject: Subject, options: RealOptions): DepthTrials {
  const isCapped = options.backend === "tensorflow";
  /** By policy: the headroom that the last size needed. Larger sizes do not need less. */
  const needed = new Map<string, number>();
  return {
    deterministic: false,
    async trial(policy, size, onStep) {
      // A session that moves nothing takes the same memory under any budget.
      const isElastic = isCapped && findPolicy(policyName(policy)).mayOffload;
      const all = isCapped ? options.headrooms : [0];
      const headrooms = isElastic ? all.slice(needed.get(policy) ?? 0) : all.slice(0, 1);
      for (const headroom of headrooms) {
        const end = await runOnce(subject, options, { policy, size, headroom, onStep });
        const isLast = headroom === headrooms.at(-1);
        if (end.kind === "trains") needed.set(policy, all.indexOf(headroom));
        if (isLast || !isRefusal(end))
          return outcomeOf(end, isCapped ? Number.POSITIVE_INFINITY : options.deviceBytes, headroom);
      }
      return { kind: "crash", reason: "no headroom to try" };
    },
  };
}

/** TensorFlow's own allocator said no, or its caller did not listen; the session's budget was not the cause. */
function isRefusal(end: TrialEnd): boolean {
  if (end.kind === "crash") return true;
  return end.kind === "too-large" && /OOM when allocating|own allocator refused/.test(end.reason);
}

interface RealRun {
  readonly policy: string;
  readonly size: number;
  readonly headroom: number;
  readonly onStep: OnTrialStep | undefined;
}

function runOnce(
  { network, searched, sizes, optimizer, depth, batch }: Subject,
  { backend, deviceBytes, hostBytes, steps, timeoutMs, run = runTrial }: RealOptions,
  { policy, size, headroom, onStep }: RealRun,
): Promise<TrialEnd> {
  const budgets = {
    deviceMemory: Math.max(1, Math.floor(deviceBytes * (1 - headroom))),
    ...(hostBytes === undefined ? {} : { hostMemory: hostBytes }),
  };
  const spec: TrialSpec = {
    backend,
    network,
    training: {
      networkOptions: { ...sizes, seed: SEED, depth: searched === "depth" ? size : depth },
      batchSize: searched === "batch" ? size : batch,
      steps,
      optimizer,
      learningRate: LEARNING_RATE,
      seed: SEED,
    },
    session: { policy: policyName(policy), ...(policy === STOCK ? {} : budgets) },
  };
  return run(spec, {
    timeoutMs,
    ...(onStep === undefined ? {} : { onStep }),
    ...(backend === "tensorflow" ? { env: cappedAllocator(deviceBytes) } : {}),
  });
}

/** A run that nothing stopped from using more than `mostBytes` did not train within them. */
function outcomeOf(end: TrialEnd, mostBytes: number, headroom: number): SizedOutcome {
  if (end.kind !== "trains") return end;
  const { peakDeviceBytes, stepMs } = end.result;
  if (peakDeviceBytes > mostBytes) {
    return {
      kind: "too-large",
      reason: `metered peak ${formatBytes(peakDeviceBytes)}, budget ${formatBytes(mostBytes)}`,
    };
  }
  return { kind: "trains", facts: { peakDeviceBytes, stepMs: median(settledSteps(stepMs)), headroom } };
}
