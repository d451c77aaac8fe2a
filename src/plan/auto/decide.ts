/**
 * Decides for every tensor of the iteration at once whether it stays, leaves or is recomputed, on the evidence of the timeline:
 * plans copies, compares with the lower bound, and where time is left to win (or nothing fits) plans copies beside
 * recomputation.
 */
import type { Graph } from "../../graph/graph.ts";
import { lowerBoundMs as boundOf } from "./bounds.ts";
import { type Problem, problemOf } from "./gaps.ts";
import { type JointOptions, type JointPlan, planJoint, planRebuilt } from "./joint.ts";
import { type OffloadOptions, type OffloadPlan, planKept, planOffloads, startFirst, type Started } from "./offload.ts";
import { dryRun } from "../ledger.ts";
import type { PlanStep } from "../plan.ts";
import { canMove, type Effort, type Machine, type PolicyDecision } from "../policy.ts";
import { timeline } from "../timeline.ts";

export interface AutoOptions {
  /** May kernels run again? Default true. */
  readonly recompute?: boolean;
  /** Search effort: plans tried beyond the first ones. Default: fewer for longer iterations. */
  readonly moves?: number;
  /** Seed of the search; the same seed gives the same plan. Default 1. */
  readonly seed?: number;
}

/** Copies and recomputation where copies block; null when nothing beats the limit. */
export type BlockingPlanner = (graph: Graph, machine: Machine, options: JointOptions) => JointPlan | null;

/** What `autoPolicy` makes policies of. */
export interface Settings extends AutoOptions {
  /** Null where no machine's copies block: the general search serves there. */
  readonly planBlocking: BlockingPlanner | null;
}

export function decide(graph: Graph, machine: Machine, options: Settings, effort: Effort = "full"): PolicyDecision {
  const problem = problemOf(graph);
  const kept = planKept(problem, machine);
  if (kept !== null) return { steps: kept, chosen: "auto", fits: true, lowerBoundMs: problem.oracleMs };
  const first = startFirst(problem, machine, problem.oracleMs);
  const isEnough = effort === "draft" ? first.point !== null : first.stepMs <= problem.oracleMs * (1 + 1e-9);
  if (isEnough) {
    return { steps: first.search.steps(), chosen: "auto", fits: true, lowerBoundMs: problem.oracleMs };
  }
  const { recompute = true, moves = defaultMoves(graph), seed = 1 } = options;
  const lowerBoundMs = boundOf(problem, machine, { recompute });
  let best =
    withRoomyHost(problem, machine, lowerBoundMs, { ...options, moves }) ??
    search(graph, machine, lowerBoundMs, { ...options, moves }, first);
  if (!best.fits && recompute && canMove(machine))
    best = closest(graph, machine, best, { moves, seed, goalMs: lowerBoundMs });
  if (best.fits) {
    for (const tighter of tighterMachines(machine, graph.kernels.length, dryRun(graph, best.steps).peakHostBytes)) {
      if (best.stepMs <= lowerBoundMs * (1 + WORTH_A_TRY)) break;
      const plan = search(graph, tighter, lowerBoundMs, { ...options, moves: moves >> 2 });
      const stepMs = plan.fits ? timeline(graph, machine, plan.steps).stepMs : Number.POSITIVE_INFINITY;
      if (stepMs < best.stepMs) best = { ...plan, stepMs };
    }
  }
  return { steps: best.steps, chosen: "auto", fits: best.fits, lowerBoundMs };
}

function search(
  graph: Graph,
  machine: Machine,
  goalMs: number,
  { recompute = true, moves = 0, seed = 1, planBlocking }: Settings,
  first?: Started,
): OffloadPlan {
  const effort = { moves, seed, goalMs };
  const { length } = graph.kernels;
  const isFast = ({ stepMs }: OffloadPlan): boolean => stepMs <= goalMs * (1 + WORTH_A_TRY);
  // In long iterations copies alone are improved only where they come close to what is found with recomputation.
  const isLong = recompute && length > MEDIUM && canMove(machine);
  const started = { ...effort, ...(first === undefined ? {} : { first }) };
  const offloads = planOffloads(graph, machine, isLong ? { ...started, moves: 0, trials: FEW_TRIALS } : started);
  if (!recompute || isFast(offloads)) return offloads;
  if (!canMove(machine)) return planRebuilt(graph, machine, effort);
  const limitMs = offloads.stepMs;
  const joint = jointOf(graph, machine, planBlocking, {
    ...effort,
    levels: moves === 0 ? FEW_LEVELS : defaultLevels(graph),
    flips: Math.min(moves, Math.round(MAX_FLIPPED / (graph.kernels.length + 1))),
    limitMs,
  });
  if (offloads.fits && isLong && offloads.stepMs < (joint?.stepMs ?? Number.POSITIVE_INFINITY) * (1 + CLOSE)) {
    const improved = planOffloads(graph, machine, effort);
    if (improved.stepMs < (joint?.stepMs ?? Number.POSITIVE_INFINITY)) return improved;
  }
  if (joint !== null) return { ...joint, fits: true };
  return offloads;
}

/** Where nothing fits: recomputation down to the budget, if that is closer to fitting. */
function closest(graph: Graph, machine: Machine, plan: OffloadPlan, effort: OffloadOptions): OffloadPlan {
  const rebuilt = planRebuilt(graph, machine, effort);
  const peakOf = (steps: readonly PlanStep[]): number => dryRun(graph, steps).peakDeviceBytes;
  return rebuilt.fits || peakOf(rebuilt.steps) < peakOf(plan.steps) ? rebuilt : plan;
}

/** The plan for a host without a budget, where it keeps the budget after all: then more host memory changes nothing. */
function withRoomyHost(problem: Problem, machine: Machine, goalMs: number, options: Settings): OffloadPlan | null {
  const { graph } = problem;
  const { hostBytes } = machine;
  if (!Number.isFinite(hostBytes) || hostBytes <= 0) return null;
  const roomy = { ...machine, hostBytes: Number.POSITIVE_INFINITY, spillBytes: 0 };
  const first = startFirst(problem, roomy, goalMs);
  const isFound = first.point !== null;
  if (isFound && dryRun(graph, first.search.steps()).peakHostBytes > FAR_TOO_MUCH * hostBytes) return null;
  const plan = search(graph, roomy, goalMs, options, first);
  return plan.fits && dryRun(graph, plan.steps).peakHostBytes <= hostBytes ? plan : null;
}

/** Host bytes of a plain plan, as a share of the budget, beyond which no better plan will keep it by chance. */
const FAR_TOO_MUCH = 1.3;

/** Where copies block, sums tell what is best, unless the host is short as well. */
function jointOf(
  graph: Graph,
  machine: Machine,
  planBlocking: BlockingPlanner | null,
  options: JointOptions,
): JointPlan | null {
  if (machine.copiesBlock === true && planBlocking !== null) {
    const sums = planBlocking(graph, machine, options);
    if (sums !== null || !Number.isFinite(machine.hostBytes)) return sums;
  }
  return planJoint(graph, machine, options);
}

/** Kernels up to which plans for all, and for some, machines with a little less are tried as well. */
const SMALL = 100;
const MEDIUM = 300;
const STEPS_PER_OCTAVE = 32;

/**
 * The next machines below this one on a fixed grid. A list of steps is never slower on a machine that has more, so the plan for one
 * that has less is a candidate too; and as machines share the grid, one that has more finds what one that has less has found.
 */
function tighterMachines(machine: Machine, kernels: number, peakHostBytes: number): Machine[] {
  const { deviceBytes, offloadGBps, prefetchGBps } = machine;
  // Of the host, what the plan takes counts, not what there is.
  const host = { hostBytes: Math.floor(below(peakHostBytes, 2)) };
  const link = { offloadGBps: below(offloadGBps, 2), prefetchGBps: below(prefetchGBps, 2) };
  const device = (steps: number): Partial<Machine> => ({ deviceBytes: Math.floor(below(deviceBytes, steps)) });
  const all = { ...device(1), ...host, ...link };
  if (kernels > SMALL) return kernels > MEDIUM ? [] : [all, host].map((change) => ({ ...machine, ...change }));
  const less = [
    device(1),
    device(2),
    { offloadGBps: link.offloadGBps },
    { prefetchGBps: link.prefetchGBps },
    host,
    all,
  ];
  return less.map((change) => ({ ...machine, ...change }));
}

/** The grid's next value below, or one of those below that. */
function below(value: number, steps: number): number {
  if (!Number.isFinite(value) || value <= 0) return value;
  return 2 ** ((Math.ceil(Math.log2(value) * STEPS_PER_OCTAVE) - steps) / STEPS_PER_OCTAVE);
}

/** Relative gap to the bound below which recomputation is not tried. */
const WORTH_A_TRY = 5e-4;

/** What more trials and annealing may win on copies alone, and the trials that tell whether that is of interest. */
const CLOSE = 0.02;
const FEW_TRIALS = 2;

function defaultMoves({ kernels }: Graph): number {
  return Math.round(Math.min(500, 40_000 / (kernels.length + 1)));
}

/** Flips times kernels. */
const MAX_FLIPPED = 20_000;

/** Levels of a search without moves. */
const FEW_LEVELS = 4;

function defaultLevels({ kernels: { length } }: Graph): number {
  return LEVELS.find(([kernels]) => length <= kernels)?.[1] ?? 4;
}

/** Kernels, and levels up to that many. */
const LEVELS: readonly (readonly [kernels: number, levels: number])[] = [
  [200, 20],
  [700, 16],
  [20_000, 10],
];
