/**
 * Copies and recomputation where copies block: the step takes as long as its kernels, re-runs and copies together, so a choice is
 * scored by a sum, without a schedule. The cheapest cover tells what a byte is worth at each kernel; at those prices every kernel
 * decides for itself whether it is run again; the cover of what is left tells new prices.
 */
import type { Graph } from "../../graph/graph.ts";
import type { Machine } from "../policy.ts";
import { cheapestGaps, gapIntervals } from "./copy-costs.ts";
import { dropRates } from "./drop-rates.ts";
import { fewestBytes, type FewestBytes } from "./fewest-bytes.ts";
import { type Problem, problemOf } from "./gaps.ts";
import type { JointOptions, JointPlan } from "./joint.ts";
import { improveFrom, startOffloads } from "./offload.ts";
import { randomOf } from "./random.ts";
import { toReruns } from "./recompute.ts";
import { Lives } from "./recompute-lives.ts";
import { type Model, recomputeModel } from "./recompute-model.ts";
import { setPrices, snapshot, type Snapshot, sweep } from "./recompute-prices.ts";
import { originalSteps, rewrite, type Rewritten } from "./rewrite.ts";

interface Scored {
  readonly pairs: Snapshot;
  readonly rewritten: Rewritten;
  readonly problem: Problem;
  readonly gaps: FewestBytes;
  readonly stepMs: number;
}

/** @returns null when nothing beats the limit */
export function planBlocking(graph: Graph, machine: Machine, options: JointOptions): JointPlan | null {
  const { goalMs, limitMs, flips, seed } = options;
  const model = recomputeModel(graph);
  const priced = byPrices(graph, model, machine, options);
  if (priced === null) return null;
  const { problem, rewritten } = flip(priced, graph, model, machine, flips, goalMs, seed);
  const { search, point, stepMs } = startOffloads(problem, machine, goalMs, limitMs);
  if (point === null) return null;
  const improved = improveFrom(search, point, stepMs, options);
  const decoded = search.evaluate(improved.point);
  return { steps: originalSteps(rewritten, search.steps()), stepMs: decoded.stepMs };
}

/** Prices are averages of all so far, so that they settle; they start where a byte costs the cheaper of copying and building. */
function byPrices(graph: Graph, model: Model, machine: Machine, { levels, goalMs }: JointOptions): Scored | null {
  const lives = new Lives(model);
  lives.copyRate = 1 / (machine.offloadGBps * 1e6) + 1 / (machine.prefetchGBps * 1e6);
  const whole = problemOf(graph);
  const price = cheapestGaps(
    whole,
    machine,
    gapIntervals(whole, machine, dropRates(whole, machine).rate),
  )?.price.slice();
  if (price === undefined) return null;
  let best: Scored | null = null;
  let before = snapshot(lives);
  for (let level = 0; level < levels; level++) {
    setPrices(lives, price);
    sweep(lives);
    sweep(lives);
    const pairs = snapshot(lives);
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

const RISE_TO_FIT = 1.2;
/** Weight of what a byte is worth if no more is dropped; the rest is what it is worth if more can be. */
const COPIES_ALONE = 0.05;

/** Adds and removes single re-runs, and keeps what is no slower. */
function flip(
  from: Scored,
  graph: Graph,
  model: Model,
  machine: Machine,
  flips: number,
  goalMs: number,
  seed: number,
): Scored {
  const random = randomOf(seed);
  const { gaps } = problemOf(graph);
  const { unitOf, latest, members, memberStart } = model.units;
  const candidates: number[] = [];
  for (let g = 0; g < gaps.count; g++) {
    const [writer, stage] = [gaps.writer[g] as number, gaps.to[g] as number];
    if (writer < 0) continue;
    const unit = unitOf[writer] as number;
    const first = members[memberStart[unit] as number] as number;
    if (stage > first && stage <= (latest[unit] as number)) candidates.push(unit, stage);
  }
  let best = from;
  for (let i = 0; i < flips && best.stepMs > goalMs * (1 + 1e-6) && candidates.length > 0; i++) {
    const pairs = [...best.pairs];
    if (pairs.length > 0 && random() < 0.4) {
      pairs.splice(2 * Math.floor((random() * pairs.length) / 2), 2);
    } else {
      const at = 2 * Math.floor((random() * candidates.length) / 2);
      pairs.push(candidates[at] as number, candidates[at + 1] as number);
    }
    const found = score(graph, model, machine, Int32Array.from(pairs));
    if (found !== null && found.stepMs <= best.stepMs) best = found;
  }
  return best;
}

/** @returns null when what is left does not fit */
function score(graph: Graph, model: Model, machine: Machine, pairs: Snapshot): Scored | null {
  const rewritten = rewrite(graph, toReruns(model, pairs), model.units);
  const problem = problemOf(rewritten.graph);
  const gaps = fewestBytes(problem, machine);
  return gaps === null ? null : { pairs, rewritten, problem, gaps, stepMs: problem.oracleMs + gaps.copyMs };
}

/** What is there during a stage is there during each of its re-runs. */
function stagePrices(
  { problem, rewritten: { graph, originalKernel, isRecompute }, gaps }: Scored,
  machine: Machine,
): Float64Array {
  const both = gapIntervals(problem, machine, dropRates(problem, machine).rate);
  const price = cheapestGaps(problem, machine, both)?.price ?? gaps.price;
  const sum = new Float64Array(graph.kernels.length);
  for (let i = originalKernel.length - 1, stage = 0; i >= 0; i--) {
    if (isRecompute[i] === 0) stage = originalKernel[i] as number;
    const mixed = (1 - COPIES_ALONE) * (price[i] as number) + COPIES_ALONE * (gaps.price[i] as number);
    sum[stage] = (sum[stage] as number) + mixed;
  }
  return sum;
}
