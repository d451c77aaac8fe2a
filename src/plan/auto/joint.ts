/**
 * Copies and recomputation together. Where a plan of copies makes kernels wait, a byte less to carry is worth the time that its
 * copy takes: that is the price of a byte there. At given prices every kernel decides for itself whether its outputs are dropped
 * and built again; the graph is rewritten accordingly and copies are planned for it; where kernels still wait, prices rise, and
 * elsewhere they fall.
 */
import type { Graph } from "../../graph/graph.ts";
import type { PlanStep } from "../plan.ts";
import { canMove, type Machine } from "../policy.ts";
import { flip } from "./flips.ts";
import { problemOf, type Problem } from "./gaps.ts";
import { improveFrom, type OffloadOptions, type OffloadPlan, planOffloads, startOffloads } from "./offload.ts";
import { planRecompute, toPairs, toReruns } from "./recompute.ts";
import { Lives } from "./recompute-lives.ts";
import { type Model, recomputeModel } from "./recompute-model.ts";
import { restore, setPrices, snapshot, type Snapshot, sweep } from "./recompute-prices.ts";
import { originalSteps, rewrite, type Rewritten } from "./rewrite.ts";
import type { Point, Search } from "./search.ts";

export interface JointOptions {
  readonly levels: number;
  /** Single re-runs that are tried on the best of them. */
  readonly flips: number;
  /** Annealing moves on the copies of the best graph. */
  readonly moves: number;
  readonly seed: number;
  readonly goalMs: number;
  /** Plans that are no faster are of no interest. */
  readonly limitMs: number;
}

export interface JointPlan {
  readonly steps: readonly PlanStep[];
  readonly stepMs: number;
}

interface Found {
  readonly pairs: Snapshot;
  readonly rewritten: Rewritten;
  readonly search: Search;
  readonly point: Point;
  readonly stepMs: number;
  readonly hurt: Float64Array;
}

/** @returns null when nothing beats the limit */
export function planJoint(graph: Graph, machine: Machine, options: JointOptions): JointPlan | null {
  const { goalMs, levels } = options;
  const model = recomputeModel(graph);
  const lives = new Lives(model);
  const price: Float64Array = new Float64Array(graph.kernels.length);
  // What a byte costs on the link, ms; without a link, any start will do.
  const rate = canMove(machine) ? 1 / (Math.min(machine.offloadGBps, machine.prefetchGBps) * 1e6) : 1e-9;
  let best: Found | null = null;
  let limitMs = options.limitMs;
  let pairs = snapshot(lives);
  let [top, rise, last]: [Level | null, number, number] = [null, FIRST_RISE, Number.POSITIVE_INFINITY];
  for (let level = 0; level < levels && rise > LAST_RISE; level++) {
    const { found, hurt } = tryOut(graph, model, machine, pairs, goalMs);
    const stepMs = found?.stepMs ?? Number.POSITIVE_INFINITY;
    if (found !== null && stepMs < limitMs) [best, limitMs] = [found, stepMs];
    if (limitMs <= goalMs * (1 + 1e-6)) break;
    const helps = stepMs <= last * (1 + 1e-9);
    let at: Level = { price: price.slice(), pairs, hurt, stepMs };
    // First the prices follow what hurts now; in the end, what hurt in the best plan, in ever smaller steps.
    const isLate = level >= levels * EXPLORING;
    rise = helps ? Math.min(1, rise * LONGER) : Math.max(isLate ? 0 : FIRST_RISE, rise * SHORTER);
    if (top === null || stepMs < top.stepMs) top = at;
    else if (isLate && !helps) at = top;
    last = isLate ? top.stepMs : stepMs;
    price.set(at.price);
    raise(price, at.hurt, rate, found === null ? RISE_TO_FIT : rise);
    restore(lives, at.pairs);
    setPrices(lives, price);
    sweep(lives);
    sweep(lives);
    pairs = snapshot(lives);
  }
  if (graph.kernels.length <= SMALL && limitMs > goalMs * (1 + FAR)) {
    const peak = problemOf(graph).keptBytes.reduce((most, bytes) => Math.max(most, bytes), 0);
    for (const share of TARGETS) {
      const target = machine.deviceBytes + share * (peak - machine.deviceBytes);
      const { choice } = planRecompute(graph, target, { effort: 0, seed: options.seed });
      const { found } = tryOut(graph, model, machine, toPairs(model, choice), goalMs);
      if (found !== null && found.stepMs < limitMs) [best, limitMs] = [found, found.stepMs];
    }
  }
  if (best === null) return null;
  const trials = graph.kernels.length <= MANY_TRIALS_UP_TO ? MANY_TRIALS : FEW_TRIALS;
  best = flip(best, graph, model, options, (flipped) => tryOut(graph, model, machine, flipped, goalMs, trials).found);
  const improved = improveFrom(best.search, best.point, best.stepMs, options);
  const { stepMs } = best.search.evaluate(improved.point);
  return { steps: originalSteps(best.rewritten, best.search.steps()), stepMs };
}

/** The last resort: recompute down to the budget, or as far as that goes, and copy what is left. */
export function planRebuilt(graph: Graph, machine: Machine, options: OffloadOptions): OffloadPlan {
  const effort = canMove(machine) ? 0 : Math.min(1, options.moves / 100);
  const { choice } = planRecompute(graph, machine.deviceBytes, { effort, seed: options.seed });
  const rewritten = rewrite(graph, choice);
  const plan = planOffloads(rewritten.graph, machine, { ...options, moves: 0 });
  return { ...plan, steps: originalSteps(rewritten, plan.steps) };
}

/** By how much the prices of a byte rise in all where kernels wait, or lack memory, as a share of its time on the link. */
const FIRST_RISE = 0.05;
const LAST_RISE = 1e-3;
/** Share of the levels in which prices may also lead away from the best plan. */
const EXPLORING = 0.6;
const RISE_TO_FIT = 0.5;
const LONGER = 1.5;
const SHORTER = 0.4;

/** Where prices end far from the bound, recomputation down to a budget between the peak and the device's is tried too. */
const FAR = 0.01;
const SMALL = 1000;
const MANY_TRIALS_UP_TO = 300;
const MANY_TRIALS = 8;
const FEW_TRIALS = 2;
const TARGETS: readonly number[] = [0.3];

/** Prices rise where it hurts, in proportion, and fall elsewhere. */
function raise(price: Float64Array, hurt: Float64Array, rate: number, rise: number): void {
  let total = 0;
  for (const ms of hurt) total += ms;
  const decay = 1 - Math.min(0.5, rise);
  for (let k = 0; k < price.length; k++) {
    const share = total > 0 ? (hurt[k] as number) / total : 0;
    price[k] = share > 0 ? (price[k] as number) + share * rise * rate : (price[k] as number) * decay;
  }
}

/** Prices, the re-runs that were chosen at them, and where the plan with those hurt. */
interface Level {
  readonly price: Float64Array;
  readonly pairs: Snapshot;
  readonly hurt: Float64Array;
  readonly stepMs: number;
}

interface Attempt {
  readonly found: Found | null;
  /** For each original kernel, how much a byte too many there hurts; any unit. */
  readonly hurt: Float64Array;
}

function tryOut(
  graph: Graph,
  model: Model,
  machine: Machine,
  pairs: Snapshot,
  goalMs: number,
  trials = FEW_TRIALS,
): Attempt {
  const rewritten = rewrite(graph, toReruns(model, pairs), model.units);
  const problem = problemOf(rewritten.graph);
  const { search, point, stepMs } = startOffloads(problem, machine, goalMs, Number.POSITIVE_INFINITY, trials);
  const hurt = new Float64Array(graph.kernels.length);
  const stageOf = stages(rewritten);
  if (point === null) {
    const over = overflow(problem, machine);
    for (let k = 0; k < over.length; k++) add(hurt, stageOf[k] as number, over[k] as number);
    return { found: null, hurt };
  }
  const { stalls, blame } = search.decoder;
  for (let k = 0; k < stalls.length; k++) {
    if ((stalls[k] as number) > 0) add(hurt, stageOf[blame[k] as number] as number, stalls[k] as number);
  }
  return { found: { pairs, rewritten, search, point, stepMs, hurt }, hurt };
}

/** Bytes by which each kernel exceeds the budget with everything away that may be. */
function overflow({ gaps, keptBytes }: Problem, machine: Machine): Float64Array {
  const over = new Float64Array(keptBytes.length + 1);
  if (canMove(machine)) {
    for (let g = 0; g < gaps.count; g++) {
      add(over, (gaps.from[g] as number) + 1, -(gaps.bytes[g] as number));
      add(over, gaps.to[g] as number, gaps.bytes[g] as number);
    }
  }
  for (let k = 1; k < over.length; k++) add(over, k, over[k - 1] as number);
  return over
    .subarray(0, keptBytes.length)
    .map((bytes, k) => Math.max(0, bytes + (keptBytes[k] as number) - machine.deviceBytes));
}

/** For each kernel of the rewritten graph, the first run that it precedes or is. */
function stages({ originalKernel, isRecompute }: Rewritten): Int32Array {
  const stage = new Int32Array(originalKernel.length);
  for (let i = originalKernel.length - 1, next = 0; i >= 0; i--) {
    if (isRecompute[i] === 0) next = originalKernel[i] as number;
    stage[i] = next;
  }
  return stage;
}

function add(to: Float64Array, k: number, amount: number): void {
  to[k] = (to[k] as number) + amount;
}
