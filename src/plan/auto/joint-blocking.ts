/**
 * Copies and recomputation where copies block: the step takes as long as its kernels, re-runs and copies together, so a choice is
 * scored by a sum, without a schedule. The cheapest cover tells what a byte is worth at each kernel; at those prices every kernel
 * decides for itself whether it is run again; the cover of what is left tells new prices.
 */
import type { Graph } from "../../graph/graph.ts";
import { msPerByte } from "../execution.ts";
import type { Machine } from "../policy.ts";
import { planOf, stages } from "./attempt.ts";
import { gapIntervals, gapPrices } from "./copy-costs.ts";
import { dropRates } from "./drop-rates.ts";
import { fewestBytes, type FewestBytes } from "./fewest-bytes.ts";
import { flip, type Flippable } from "./flips.ts";
import { type Problem, problemOf, targetBytes } from "./gaps.ts";
import { faster, type JointOptions, type JointPlan } from "./joint.ts";
import { improveFrom, startOffloads } from "./offload.ts";
import { planRecompute, toPairs, toReruns } from "./recompute.ts";
import { Lives } from "./recompute-lives.ts";
import { type Model, recomputeModel } from "./recompute-model.ts";
import { decideAt, snapshot, type Snapshot } from "./recompute-prices.ts";
import { rewrite, type Rewritten } from "./rewrite.ts";

interface Scored extends Flippable {
  readonly rewritten: Rewritten;
  readonly problem: Problem;
  readonly gaps: FewestBytes;
}

/** @returns null when nothing beats the limit */
export function planBlocking(graph: Graph, machine: Machine, options: JointOptions): JointPlan | null {
  const { goalMs, limitMs } = options;
  const model = recomputeModel(graph);
  const priced = byRecompute(graph, model, machine, options).reduce(faster, byPrices(graph, model, machine, options));
  if (priced === null) return null;
  const { problem, rewritten } = flip(priced, model, options, (pairs) => score(graph, model, machine, pairs));
  const { search, point, stepMs } = startOffloads(problem, machine, goalMs, limitMs);
  if (point === null) return null;
  return planOf({ search, rewritten }, improveFrom(search, point, stepMs, options).point);
}

/** Recomputation down to the budget, and half of the way; the rest is copied. */
function byRecompute(graph: Graph, model: Model, machine: Machine, { seed }: JointOptions): (Scored | null)[] {
  if (graph.kernels.length > SMALL) return [];
  const problem = problemOf(graph);
  return TARGETS.map((share) => {
    const { choice } = planRecompute(graph, targetBytes(problem, machine, share), { effort: 0, seed });
    return score(graph, model, machine, toPairs(model, choice));
  });
}

const SMALL = 700;
const TARGETS: readonly number[] = [0, 0.5];

/** Prices are averages of all so far, so that they settle; they start where a byte costs the cheaper of copying and building. */
function byPrices(graph: Graph, model: Model, machine: Machine, { levels, goalMs }: JointOptions): Scored | null {
  const lives = new Lives(model);
  lives.copyRate = msPerByte(machine.offloadGBps) + msPerByte(machine.prefetchGBps);
  const whole = problemOf(graph);
  const price = gapPrices(whole, machine, gapIntervals(whole, machine, dropRates(whole, machine).rate))?.slice();
  if (price === undefined) return null;
  let best: Scored | null = null;
  let before = snapshot(lives);
  for (let level = 0; level < Math.min(levels, MAX_LEVELS); level++) {
    const pairs = decideAt(lives, price);
    const isSame = level > 0 && pairs.length === before.length && pairs.every((value, i) => value === before[i]);
    before = pairs;
    const found: Scored | null = isSame ? best : score(graph, model, machine, pairs);
    if (found !== null && found.stepMs < (best?.stepMs ?? Number.POSITIVE_INFINITY)) best = found;
    if (best !== null && best.stepMs <= goalMs * (1 + 1e-6)) break;
    const share = 1 / (level + 2);
    const now = found === null ? null : stagePrices(found, machine);
    for (let k = 0; k < price.length; k++) {
      const old = price[k] as number;
      price[k] = now === null ? old * RISE_TO_FIT : old * (1 - share) + share * (now[k] as number);
    }
  }
  return best;
}

const MAX_LEVELS = 8;
const RISE_TO_FIT = 1.2;
/** Weight of what a byte is worth if no more is dropped; the rest is what it is worth if more can be. */
const COPIES_ALONE = 0.05;

/** @returns null when what is left does not fit */
function score(graph: Graph, model: Model, machine: Machine, pairs: Snapshot): Scored | null {
  const rewritten = rewrite(graph, toReruns(model, pairs), model.units);
  const problem = problemOf(rewritten.graph);
  const gaps = fewestBytes(problem, machine);
  if (gaps === null) return null;
  const hurt = new Float64Array(graph.kernels.length);
  addByStage(hurt, rewritten, gaps.price, 1);
  return { pairs, rewritten, problem, gaps, hurt, stepMs: problem.oracleMs + gaps.copyMs };
}

/** What a byte is worth at each kernel of the original graph: mostly what it is worth if more can be dropped as well. */
function stagePrices({ problem, rewritten, gaps, hurt }: Scored, machine: Machine): Float64Array {
  const both = gapIntervals(problem, machine, dropRates(problem, machine).rate);
  const price = hurt.map((ms) => COPIES_ALONE * ms);
  addByStage(price, rewritten, gapPrices(problem, machine, both) ?? gaps.price, 1 - COPIES_ALONE);
  return price;
}

/** What is there during a stage is there during each of its re-runs. */
function addByStage(sum: Float64Array, rewritten: Rewritten, price: Float64Array, by: number): void {
  const stageOf = stages(rewritten);
  for (let i = stageOf.length - 1; i >= 0; i--) sum[stageOf[i] as number]! += by * (price[i] as number);
}
