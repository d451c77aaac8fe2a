/**
 * Copies and recomputation together. Where a plan of copies makes kernels wait, a byte less to carry is worth the time that its
 * copy takes: that is the price of a byte there. At given prices every kernel decides for itself whether its outputs are dropped
 * and built again; the graph is rewritten accordingly and copies are planned for it; where kernels still wait, prices rise, and
 * elsewhere they fall.
 */
import type { Graph } from "../../graph/graph.ts";
import { msPerByte } from "../execution.ts";
import type { PlanStep } from "../plan.ts";
import { canMove, type Machine } from "../policy.ts";
import { type Attempt, type Found, planOf, type Setting, tryOut } from "./attempt.ts";
import { type Descended, descend } from "./descent.ts";
import { flip } from "./flips.ts";
import { problemOf, targetBytes } from "./gaps.ts";
import { improveFrom, type OffloadOptions, type OffloadPlan, planOffloads } from "./offload.ts";
import { planRecompute, toPairs } from "./recompute.ts";
import { Lives } from "./recompute-lives.ts";
import { recomputeModel } from "./recompute-model.ts";
import { decideAt, restore } from "./recompute-prices.ts";
import { originalSteps, rewrite } from "./rewrite.ts";

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

/** @returns null when nothing beats the limit */
export function planJoint(graph: Graph, machine: Machine, options: JointOptions): JointPlan | null {
  const planner = new Joint(graph, machine, options);
  const isComplete = planner.descend();
  return graph.kernels.length > SHORT
    ? planLong(planner, isComplete, options)
    : planShort(planner, () => new Joint(graph, machine, options), options);
}

function planLong(planner: Joint, isComplete: boolean, { flips }: JointOptions): JointPlan | null {
  if (planner.gap > NEAR) planner.refine(planner.top);
  if (!isComplete && planner.gap > LOST) planner.tryTarget(0);
  // More flips win more than annealing of the copies does.
  planner.flip(FEW_TRIALS, planner.gap > FAR ? 2 * flips : flips);
  return planner.result(0);
}

function planShort(planner: Joint, another: () => Joint, { flips, moves }: JointOptions): JointPlan | null {
  planner.refine(planner.top);
  if (flips === 0 && planner.hasPlan) return planner.result(0);
  // Copies may be of no use at all.
  if (planner.gap > FAR) planner.tryTarget(0);
  const isFar = planner.gap > FAR;
  planner.flip(MANY_TRIALS, flips);
  const plan = planner.result(moves);
  if (!isFar) return plan;
  // There is time for another valley: prices that start from nothing.
  const other = another();
  other.refine(other.none());
  other.tryTarget(TARGET);
  // What begins far above what is found already does not get below it.
  if (other.gap > planner.gap * HOPEFUL) return plan;
  other.flip(MANY_TRIALS, flips);
  return faster(plan, other.result(moves));
}

export function faster<T extends { readonly stepMs: number }>(a: T | null, b: T | null): T | null {
  return a === null || (b !== null && b.stepMs < a.stepMs) ? b : a;
}

/** Invariant: `best` is the fastest of all that was tried, null where none beats the limit; `top` the fastest of the levels. */
class Joint {
  top: Level;
  #best: Found | null = null;
  #limitMs: number;
  readonly #setting: Setting;
  readonly #options: JointOptions;
  readonly #lives: Lives;

  constructor(graph: Graph, machine: Machine, options: JointOptions) {
    const model = recomputeModel(graph);
    this.#setting = { graph, model, machine, goalMs: options.goalMs };
    this.#options = options;
    this.#limitMs = options.limitMs;
    this.#lives = new Lives(model);
    this.top = this.none();
  }

  /** Distance of the best plan so far from the bound, as a share. */
  get gap(): number {
    return this.#limitMs / this.#options.goalMs - 1;
  }

  /** Something beats the limit. */
  get hasPlan(): boolean {
    return this.#best !== null;
  }

  get #isThere(): boolean {
    return this.gap <= 1e-6;
  }

  /** Nothing is run again. */
  none(): Level {
    const price = new Float64Array(this.#setting.graph.kernels.length);
    return { price, pairs: new Int32Array(0), hurt: null, stepMs: Number.POSITIVE_INFINITY };
  }

  /** Tries levels of recomputation down to what would do without copies. */
  descend(): boolean {
    return descend(this.#lives, this.#setting.machine.deviceBytes, (level) => {
      if (this.#isThere) return Number.POSITIVE_INFINITY;
      return this.#note(level, tryOut(this.#setting, level.pairs, 1, this.top.stepMs)).stepMs;
    });
  }

  /** First prices follow what hurts now; in the end, what hurt in the best plan, in ever smaller steps. */
  refine(from: Level): void {
    const { machine } = this.#setting;
    const { levels } = this.#options;
    // What a byte costs on the link, ms; without a link, any start will do.
    const rate = canMove(machine) ? msPerByte(Math.min(machine.offloadGBps, machine.prefetchGBps)) : 1e-9;
    let [at, rise] = [from, FIRST_RISE];
    for (let level = 0; level < levels && rise > LAST_RISE && !this.#isThere; level++) {
      const isLate = level >= levels * EXPLORING;
      const price = at.price.slice();
      if (at.hurt === null) at = this.#note(at, tryOut(this.#setting, at.pairs, FEW_TRIALS));
      raise(price, at.hurt as Float64Array, rate, Number.isFinite(at.stepMs) ? rise : RISE_TO_FIT);
      restore(this.#lives, at.pairs);
      const pairs = decideAt(this.#lives, price);
      const next = this.#note({ price, pairs }, tryOut(this.#setting, pairs, FEW_TRIALS));
      const helps = next.stepMs <= at.stepMs * (1 + 1e-9);
      rise = helps ? Math.min(1, rise * LONGER) : Math.max(isLate ? 0 : FIRST_RISE, rise * SHORTER);
      at = isLate && !helps ? this.top : next;
    }
  }

  /** Recomputation searched down to a budget between the device's, at 0, and the peak, at 1. */
  tryTarget(share: number): void {
    const { graph, model, machine } = this.#setting;
    const { choice } = planRecompute(graph, targetBytes(problemOf(graph), machine, share), {
      effort: 0,
      insists: !canMove(machine),
      seed: this.#options.seed,
    });
    this.#keep(tryOut(this.#setting, toPairs(model, choice), FEW_TRIALS).found);
  }

  flip(trials: number, flips: number): void {
    const { model } = this.#setting;
    if (this.#best === null) return;
    this.#best = flip(this.#best, model, { ...this.#options, flips }, (pairs, limitMs) => {
      return tryOut(this.#setting, pairs, trials, limitMs).found;
    });
  }

  /** @param moves annealing moves on the copies of the best plan */
  result(moves: number): JointPlan | null {
    if (this.#best === null) return null;
    const { search, point, stepMs, rewritten } = this.#best;
    const improved = moves === 0 ? point : improveFrom(search, point, stepMs, { ...this.#options, moves }).point;
    return planOf({ search, rewritten }, improved);
  }

  #note(level: Descended, { found, hurt }: Attempt): Level {
    const stepMs = found?.stepMs ?? Number.POSITIVE_INFINITY;
    const noted = { ...level, hurt, stepMs };
    if (stepMs < this.top.stepMs) this.top = noted;
    this.#keep(found);
    return noted;
  }

  #keep(found: Found | null): void {
    const stepMs = found?.stepMs ?? Number.POSITIVE_INFINITY;
    if (found !== null && stepMs < this.#limitMs) [this.#best, this.#limitMs] = [found, stepMs];
  }
}

/** The last resort: recompute down to the budget, or as far as that goes, and copy what is left. */
export function planRebuilt(graph: Graph, machine: Machine, options: OffloadOptions): OffloadPlan {
  const effort = canMove(machine) ? 0 : Math.min(1, options.moves / 100);
  const insists = options.moves > 0 || graph.kernels.length <= LONG || !canMove(machine);
  const { choice } = planRecompute(graph, machine.deviceBytes, { effort, insists, seed: options.seed });
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

/** Kernels up to which choices are tried with many sweeps, and the last one's copies are improved. */
const SHORT = 300;
/** Kernels beyond which a search without moves takes the first descent of recomputation as it is. */
const LONG = 3000;
const MANY_TRIALS = 8;
const FEW_TRIALS = 2;
/** Distances from the bound: prices are refined beyond the first, and twice as many flips are tried beyond the second. */
const NEAR = 0.002;
const FAR = 0.004;
/** Beyond this, copies may be of no use: recomputation alone is searched as well. */
const LOST = 0.1;
/** A second start is followed up where it is no farther from the bound than so many times the first's end. */
const HOPEFUL = 1.5;
/** Where short iterations look for a second start. */
const TARGET = 0.3;

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

/** A choice of re-runs, the prices at which it was made, and where the plan with it hurts; null where that is not known. */
interface Level extends Descended {
  readonly hurt: Float64Array | null;
  readonly stepMs: number;
}
