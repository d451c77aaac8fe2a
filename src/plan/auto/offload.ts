/**
 * The best plan that moves tensors and runs every kernel once: a few sweeps that differ in their rule and in the room that they
 * leave for copies in, then annealing from the best of them. Works on any graph, so also on one that has been rewritten to
 * recompute.
 */
import type { Graph } from "../../graph/graph.ts";
import type { PlanStep } from "../plan.ts";
import { canMove, type Machine } from "../policy.ts";
import { Decoder } from "./decode.ts";
import { KEEP, TO_HOST } from "./layout.ts";
import { fewestBytes } from "./fewest-bytes.ts";
import { type Problem, problemOf } from "./gaps.ts";
import { improve, type Improved } from "./improve.ts";
import { type Point, Search } from "./search.ts";
import type { Rule } from "./sweep.ts";

export interface OffloadPlan {
  readonly steps: readonly PlanStep[];
  /** Infinity when it does not fit. */
  readonly stepMs: number;
  readonly fits: boolean;
}

export interface OffloadOptions {
  /** Annealing moves after the first trials. */
  readonly moves: number;
  readonly seed: number;
  /** Nothing is faster than this, ms; the search stops there. */
  readonly goalMs: number;
  /** How many first trials to choose from; more where none of these fits. Default all. */
  readonly trials?: number;
  /** The first trial, where it has been made. */
  readonly first?: Started;
}

interface Trial {
  readonly rule: Rule;
  readonly headroom: number;
  readonly lookAhead: number;
  readonly hostReserve: number;
}

const TRIALS: readonly Trial[] = [
  { rule: "farthest", headroom: 0, lookAhead: 0, hostReserve: 0.05 },
  { rule: "farthest", headroom: 0.03, lookAhead: 0, hostReserve: 0.15 },
  { rule: "area", headroom: 0, lookAhead: 4, hostReserve: 0.3 },
  { rule: "farthest", headroom: 0.01, lookAhead: 4, hostReserve: 0.02 },
  { rule: "longest", headroom: 0, lookAhead: 0, hostReserve: 0.1 },
  { rule: "area", headroom: 0.03, lookAhead: 0, hostReserve: 0.05 },
  { rule: "largest", headroom: 0, lookAhead: 0, hostReserve: 0.15 },
  { rule: "farthest", headroom: 0.08, lookAhead: 0, hostReserve: 0.5 },
];

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The best of the first trials, without annealing; null when none fits. */
export interface Started {
  readonly search: Search;
  readonly point: Point | null;
  readonly stepMs: number;
}

/**
 * @param limitMs plans that are no faster are of no interest
 * @param trials how many to choose from
 * @param first the first one, where it has been made
 */
export function startOffloads(
  problem: Problem,
  machine: Machine,
  goalMs: number,
  limitMs: number,
  trials: number = TRIALS.length,
  first?: Started,
): Started {
  const search = first?.search ?? new Search(problem, machine);
  let [point, stepMs]: [Point | null, number] = [first?.point ?? null, first?.stepMs ?? limitMs];
  const isBlocking = machine.copiesBlock === true && canMove(machine) && first === undefined;
  const fewest = isBlocking ? fewestBytes(problem, machine) : null;
  if (fewest !== null) {
    const next = { ...search.start("area", 0), forced: fewest.chosen };
    const decoded = search.evaluate(next, stepMs);
    if (decoded.fits && decoded.stepMs < stepMs) [point, stepMs] = [next, decoded.stepMs];
  }
  for (const { rule, headroom, lookAhead, hostReserve } of TRIALS.slice(first === undefined ? 0 : 1, trials)) {
    const next = { ...search.start(rule, headroom), lookAhead, hostReserve };
    const decoded = search.evaluate(next, stepMs);
    if (search.worstBytes > 0) break;
    if (!decoded.fits || decoded.stepMs >= stepMs) continue;
    [point, stepMs] = [next, decoded.stepMs];
    if (stepMs <= goalMs * (1 + 1e-9)) break;
  }
  return { search, point, stepMs };
}

export function planOffloads(graph: Graph, machine: Machine, options: OffloadOptions): OffloadPlan {
  return (
    planWith(options.first?.search.problem ?? problemOf(graph), machine, options, options.first) ??
    planWith(problemOf(graph, true), machine, options) ??
    leastPeak(problemOf(graph, true), machine)
  );
}

/** Nothing moves; null when that does not fit. */
export function planKept(problem: Problem, machine: Machine): PlanStep[] | null {
  if (problem.keptBytes.some((bytes) => bytes > machine.deviceBytes)) return null;
  const decoder = new Decoder(problem, machine);
  decoder.run(new Uint8Array(problem.gaps.count), new Search(problem, machine).start("farthest", 0));
  return decoder.steps();
}

/** The first trial alone; its steps are the search's. */
export function startFirst(problem: Problem, machine: Machine, goalMs: number): Started {
  const started = startOffloads(problem, machine, goalMs, NO_LIMIT, 1);
  // Of two plans the search has the steps of the one tried last, which may have been given up half-way.
  if (started.point !== null) started.search.evaluate(started.point);
  return started;
}

function planWith(problem: Problem, machine: Machine, options: OffloadOptions, first?: Started): OffloadPlan | null {
  const { trials, goalMs } = options;
  const { search, point, stepMs } = startOffloads(problem, machine, goalMs, NO_LIMIT, trials, first);
  if (point === null) return trials === undefined ? null : planWith(problem, machine, { moves: 0, seed: 1, goalMs });
  const best = improveFrom(search, point, stepMs, options);
  search.evaluate(best.point);
  return { steps: search.steps(), stepMs: best.stepMs, fits: true };
}

/** Rules whose plain sweeps are further places to start from. */
const OTHER_STARTS: readonly Rule[] = ["largest", "area"];

/** Half of the moves from the best point, the rest from points that may lie in other valleys. */
export function improveFrom(
  search: Search,
  point: Point,
  stepMs: number,
  { moves, seed, goalMs }: OffloadOptions,
): Improved {
  const share = moves >= MANY ? 2 : 1;
  let best = improve(search, point, Math.floor(moves / share), seed, goalMs);
  if (share === 1) return best;
  for (const [i, rule] of OTHER_STARTS.entries()) {
    if (best.stepMs <= goalMs * (1 + 1e-6)) break;
    const other = improve(search, search.start(rule, 0), Math.floor(moves / 4), seed + i + 1, goalMs);
    if (other.stepMs < best.stepMs) best = other;
  }
  return best.stepMs <= stepMs ? best : { point, stepMs, moves: 0 };
}

const MANY = 200;

/** Everything leaves that may, and comes back at the last moment: what is closest to fitting. */
function leastPeak(problem: Problem, machine: Machine): OffloadPlan {
  const decoder = new Decoder(problem, machine);
  const choice = new Uint8Array(problem.gaps.count).fill(canMove(machine) ? TO_HOST : KEEP);
  decoder.run(choice, new Search(problem, machine).start("farthest", 0));
  return { steps: decoder.steps(), stepMs: Number.POSITIVE_INFINITY, fits: false };
}
