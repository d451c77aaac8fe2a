/**
 * A training iteration on a simulated GPU under one policy or several: times from kernel-times.ts, memory from shapes. Pure.
 *
 * The policies of vDNN's paper (`vdnn-all`, `vdnn-conv`, `vdnn-dyn`) are simulated as the paper runs them (paper.ts), unless free
 * streams are asked for; all others are vdnn's own plans, with streams that run on (src/plan).
 */
import { dryRun, fitsDryRun } from "../plan/ledger.ts";
import { findPolicy, policies } from "../plan/policies/index.ts";
import type { Policy } from "../plan/policy.ts";
import { type NetworkWide, networkWide } from "./accounting.ts";
import { type Algorithm, DEFAULT_WORKSPACE_LIMIT_BYTES } from "./convolution.ts";
import { timed } from "./kernel-times.ts";
import type { Offloading } from "./layered.ts";
import { plannerMachine, type SimulatedMachine } from "./machines.ts";
import { findByName } from "./names.ts";
import { paperRun, type PaperRun, vdnnDyn } from "./paper.ts";
import { roomForWorkspace } from "./room.ts";
import { type DetailedRun, rowOf, type Setting, type SimulatedRun } from "./row.ts";
import { freeRun } from "./timed-steps.ts";
import type { WorkGraph } from "./work.ts";

/** `dyn`: as the policy chooses. */
export type AlgorithmChoice = Algorithm | "dyn";

export interface SimulateOptions {
  readonly work: WorkGraph;
  readonly machine: SimulatedMachine;
  /** Names of `SIMULATED_POLICIES`. */
  readonly policies: readonly string[];
  /** Default: m and p for vdnn-all and vdnn-conv, as in the paper; dyn otherwise. */
  readonly algorithm?: AlgorithmChoice | undefined;
  /** Most workspace of one convolution. Default 4 GiB. */
  readonly workspaceLimitBytes?: number | undefined;
  /** `layer`: the paper's policies wait for their copies at the end of each layer. Default `layer`. */
  readonly synchronization?: "layer" | "none" | undefined;
}

export interface Simulation {
  /** All kernels once, every convolution by p, no copies: a GPU with memory without end. */
  readonly oracleMs: number;
  /** With p's workspaces. */
  readonly networkWide: NetworkWide;
  readonly runs: readonly DetailedRun[];
}

export const NETWORK_WIDE = "network-wide";
const PAPER_OFFLOADING: Readonly<Record<string, Offloading>> = { "vdnn-all": "all", "vdnn-conv": "conv" };
const VDNN_DYN = "vdnn-dyn";
/** Shares of a kernel's room (room.ts) that `dyn` tries as limits, to leave more or less of it to copies under way. */
const ROOM_SHARES = [1, 0.75, 0.5, 0.25];
/** A gain in step time below this share does not end a choice. */
const WORTHWHILE_GAIN = 0.005;

/** `none` is stock TensorFlow.js, which has no place on a GPU of 2016; its counterpart here is network-wide. */
export const SIMULATED_POLICIES: readonly string[] = [
  NETWORK_WIDE,
  ...policies.flatMap(({ name }) => (name === "none" ? [] : [name])),
];

/** @throws VdnnError `ERR_INVALID_OPTION` for an unknown policy */
export function simulate(options: SimulateOptions): Simulation {
  const { work, machine, workspaceLimitBytes = DEFAULT_WORKSPACE_LIMIT_BYTES } = options;
  const oracle = timed(work, machine, { algorithms: () => "p", workspaceLimitBytes });
  const setting: Setting = {
    work,
    machine,
    planner: plannerMachine(machine),
    workspaceLimitBytes,
    oracleMs: oracle.kernels.reduce((sum, { ms }) => sum + ms, 0),
    networkWide: networkWide(oracle, work.weightGradients),
  };
  const runs = options.policies.flatMap((name) => runPolicy(name, setting, options));
  return { oracleMs: setting.oracleMs, networkWide: setting.networkWide, runs };
}

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function requirePolicy(name: string): void {
  findByName(
    "policy",
    SIMULATED_POLICIES.map((each) => ({ name: each })),
    name,
  );
}

function runPolicy(name: string, setting: Setting, { algorithm, synchronization }: SimulateOptions): DetailedRun[] {
  if (name === NETWORK_WIDE)
    return [baseline(setting, algorithm === undefined || algorithm === "dyn" ? "p" : algorithm)];
  requirePolicy(name);
  const policy = findPolicy(name);
  if (synchronization !== "none") {
    const offloading = PAPER_OFFLOADING[name];
    if (offloading !== undefined) {
      const hasConvolutions = setting.work.kernels.some(({ work: { convolution } }) => convolution !== undefined);
      const both: readonly Algorithm[] = hasConvolutions ? ["m", "p"] : ["p"];
      const asked: Algorithm | "greedy" = algorithm === "dyn" ? "greedy" : (algorithm ?? "p");
      const algorithms = algorithm === undefined ? both : [asked];
      return algorithms.map((each) => paperRow(name, "", setting, paperRun(setting, offloading, each)));
    }
    if (name === VDNN_DYN) {
      const made = vdnnDyn(setting, algorithm === "dyn" ? undefined : algorithm);
      return [paperRow(name, made.offloading, setting, made)];
    }
  }
  return [
    algorithm === undefined || algorithm === "dyn" ? bestPlan(policy, setting) : planRow(policy, setting, algorithm),
  ];
}

/** The paper's baseline: everything is allocated before, nothing moves. */
function baseline(setting: Setting, algorithm: Algorithm): DetailedRun {
  const { work, machine, planner, workspaceLimitBytes } = setting;
  const graph = timed(work, machine, { algorithms: () => algorithm, workspaceLimitBytes });
  const steps = graph.kernels.map((_, kernel) => ({ kind: "compute", kernel }) as const);
  const run = freeRun(graph, { ...planner, deviceBytes: Number.POSITIVE_INFINITY }, steps);
  const { totalBytes } = networkWide(graph, work.weightGradients);
  const row = rowOf(NETWORK_WIDE, "", algorithm, setting, graph, run, totalBytes <= planner.deviceBytes);
  return {
    ...row,
    samples: [{ timeMs: 0, deviceBytes: totalBytes, hostBytes: 0 }],
    result: {
      ...row.result,
      peakDeviceBytes: totalBytes,
      averageDeviceBytes: totalBytes,
      averageManagedBytes: totalBytes,
      averageSaving: 1 - totalBytes / setting.networkWide.totalBytes,
    },
  };
}

function paperRow(name: string, chosen: string, setting: Setting, made: PaperRun): DetailedRun {
  const row = rowOf(name, chosen, made.algorithm, setting, made.graph, made.run, made.fits);
  return { ...row, result: { ...row.result, downgraded: made.downgraded } };
}

/** p with the workspace limit, then with less of the room that each kernel has, where that fits or is faster. */
function bestPlan(policy: Policy, setting: Setting): DetailedRun {
  let best = planRow(policy, setting, "p");
  const room = roomForWorkspace(setting.work, setting.planner.deviceBytes);
  for (const share of ROOM_SHARES) {
    if (best.result.fits && best.result.ratio <= 1 + WORTHWHILE_GAIN) break;
    const limit = (k: number): number => Math.min(setting.workspaceLimitBytes, share * (room[k] ?? 0));
    const next = planRow(policy, setting, "p", limit);
    if (isBetter(next.result, best.result)) best = next;
  }
  return best;
}

/** What fits before what does not; then the faster by something, or what misses the budget by less. */
function isBetter(a: SimulatedRun, b: SimulatedRun): boolean {
  if (a.fits !== b.fits) return a.fits;
  return a.fits ? a.stepMs < b.stepMs * (1 - WORTHWHILE_GAIN) : a.peakDeviceBytes < b.peakDeviceBytes;
}

function planRow(
  policy: Policy,
  setting: Setting,
  algorithm: Algorithm,
  limit?: (kernel: number) => number,
): DetailedRun {
  const { work, machine, planner, workspaceLimitBytes } = setting;
  const graph = timed(work, machine, {
    algorithms: () => algorithm,
    workspaceLimitBytes: limit ?? workspaceLimitBytes,
  });
  const { steps, chosen, fits, lowerBoundMs } = policy.decide(graph, planner);
  const run = freeRun(graph, planner, steps);
  const isWithin = fits && fitsDryRun(dryRun(graph, steps), planner);
  const label = limit === undefined ? algorithm : `${algorithm} in parts`;
  const row = rowOf(policy.name, chosen === policy.name ? "" : chosen, label, setting, graph, run, isWithin);
  return lowerBoundMs === undefined ? row : { ...row, result: { ...row.result, lowerBoundMs } };
}
