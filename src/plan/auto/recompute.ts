/**
 * Recompute planning: which kernels run again, and when, so that the peak of the dry run fits a budget at the least time. Nothing
 * moves. Prices find a plan at any size (recompute-prices.ts), the exact search makes it tight (recompute-search.ts).
 */
import type { Graph } from "../../graph/graph.ts";
import { randomOf } from "./random.ts";
import { Lives } from "./recompute-lives.ts";
import { type Model, recomputeModel } from "./recompute-model.ts";
import { COARSE, FINE, type PriceOptions, priceDescent, restore, type Snapshot, snapshot } from "./recompute-prices.ts";
import { anneal, prune, repair } from "./recompute-search.ts";
import type { Rerun } from "./rewrite.ts";

export interface RecomputeOptions {
  /** Search effort as a multiple of the default count of moves; 0 takes the best of the price descents as it is. Default 1. */
  readonly effort?: number;
  /** Seed of the search. Default 1. */
  readonly seed?: number;
  /** Tries more than one descent, and lower targets than the budget where that is not kept otherwise. Default true. */
  readonly insists?: boolean;
  /** Re-runs that the search starts from and may undo. Default none. */
  readonly start?: readonly Rerun[];
}

export interface RecomputePlan {
  /** What `rewrite` takes. */
  readonly choice: readonly Rerun[];
  /** Time of all re-runs, ms. */
  readonly recomputeMs: number;
  /** Dry-run peak of the rewritten graph under liveness, weights and workspace included. */
  readonly peakBytes: number;
  /** False when it exceeds the budget: the lowest peak that was found. */
  readonly fits: boolean;
}

interface Attempt {
  readonly runs: Snapshot;
  readonly recomputeMs: number;
  readonly peakBytes: number;
}

/**
 * Lower targets than the budget make the prices press harder: what they find may be cheaper, and may fit where the budget itself
 * as a target did not.
 */
const HARDER_TARGETS = [0.97, 0.94, 0.9, 0.85, 0.8];
/** Of long iterations, where each descent takes seconds when nothing fits. */
const FEW_HARDER_TARGETS = [0.94, 0.85];
/** Kernels from which on the search is coarser. */
const LARGE = 3000;
/** Steps of the repair of a plan that does not fit. */
const REPAIRS = 100;

/** @param deviceBytes budget for everything on the device, weights included */
export function planRecompute(graph: Graph, deviceBytes: number, options: RecomputeOptions = {}): RecomputePlan {
  const { effort = 1, seed = 1, insists = true, start = [] } = options;
  const model = recomputeModel(graph);
  const lives = new Lives(model);
  for (const { kernel, before } of start) {
    const unit = model.units.unitOf[kernel] ?? -1;
    if (unit >= 0 && lives.canAdd(unit, before)) lives.add(unit, before);
  }
  lives.follow();
  let best = attempt(lives);
  if (start.length === 0 && best.peakBytes <= deviceBytes) return result(model, best, deviceBytes);
  const { moves, work } = movesFor(model);
  const descend = (share: number, prices: PriceOptions): void => {
    restore(lives, best.peakBytes <= deviceBytes && start.length > 0 ? best.runs : new Int32Array(0));
    restore(lives, priceDescent(lives, share * deviceBytes, prices));
    lives.follow();
    if (lives.peakBytes() > deviceBytes) repair(lives, deviceBytes, REPAIRS);
    if (lives.peakBytes() <= deviceBytes) prune(lives, deviceBytes, work);
    const found = attempt(lives);
    if (isBetter(found, best, deviceBytes)) best = found;
  };
  for (const [share, prices] of startsFor(model).slice(0, insists ? undefined : 1)) descend(share, prices);
  const [levels, targets] = model.kernelCount > LARGE ? [COARSE, FEW_HARDER_TARGETS] : [FINE, HARDER_TARGETS];
  for (const prices of [levels, { ...levels, jump: Number.POSITIVE_INFINITY }]) {
    for (const share of targets) if (insists && best.peakBytes > deviceBytes) descend(share, prices);
  }
  if (best.peakBytes <= deviceBytes && effort > 0) {
    restore(lives, best.runs);
    lives.follow();
    anneal(lives, deviceBytes, effort * moves, effort * work, randomOf(seed));
    best = attempt(lives);
  }
  return result(model, best, deviceBytes);
}

/** Price descents to take the best of: targets as shares of the budget. */
function startsFor({ kernelCount }: Model): readonly (readonly [number, PriceOptions])[] {
  if (kernelCount > LARGE) return [[1, COARSE]];
  if (kernelCount > 700) return [[1, FINE]];
  return [
    [1, FINE],
    [0.985, { ...FINE, growth: 1.15 }],
    [0.96, FINE],
  ];
}

function movesFor({ kernelCount }: Model): { readonly moves: number; readonly work: number } {
  // Where there is much to choose from, prices alone come within a few parts in a thousand.
  if (kernelCount > 700) return { moves: 2000, work: 100_000 + 30 * kernelCount };
  return { moves: Math.min(6000, 25 * kernelCount), work: 300_000 };
}

function attempt(lives: Lives): Attempt {
  return { runs: snapshot(lives), recomputeMs: lives.recomputeMs, peakBytes: lives.peakBytes() };
}

/** Plans that fit before those that do not; then by time, or by peak. */
function isBetter(a: Attempt, b: Attempt, deviceBytes: number): boolean {
  const [fitsA, fitsB] = [a.peakBytes <= deviceBytes, b.peakBytes <= deviceBytes];
  if (fitsA !== fitsB) return fitsA;
  return fitsA ? a.recomputeMs < b.recomputeMs : a.peakBytes < b.peakBytes;
}

/** A choice in terms of kernels, as pairs unit, stage. */
export function toPairs({ units }: Model, choice: readonly Rerun[]): Snapshot {
  return Int32Array.from(choice.flatMap(({ kernel, before }) => [units.unitOf[kernel]!, before]));
}

/** @param pairs unit, stage; as a choice in terms of kernels */
export function toReruns({ units }: Model, pairs: Snapshot): Rerun[] {
  const choice: Rerun[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    choice.push({ kernel: units.members[units.memberStart[pairs[i]!]!]!, before: pairs[i + 1]! });
  }
  return choice;
}

function result(model: Model, { runs, recomputeMs, peakBytes }: Attempt, deviceBytes: number): RecomputePlan {
  return { choice: toReruns(model, runs), recomputeMs, peakBytes, fits: peakBytes <= deviceBytes };
}
