/**
 * One choice of re-runs, tried: the graph is rewritten to it, copies are planned for that, and where the plan hurts is told for the
 * kernels of the original graph.
 */
import type { Graph } from "../../graph/graph.ts";
import { canMove, type Machine } from "../policy.ts";
import { problemOf, type Problem } from "./gaps.ts";
import { type OffloadPlan, startOffloads } from "./offload.ts";
import { toReruns } from "./recompute.ts";
import type { Model } from "./recompute-model.ts";
import type { Snapshot } from "./recompute-prices.ts";
import { originalSteps, rewrite, type Rewritten } from "./rewrite.ts";
import type { Point, Search } from "./search.ts";

export interface Found {
  readonly pairs: Snapshot;
  readonly rewritten: Rewritten;
  readonly search: Search;
  readonly point: Point;
  readonly stepMs: number;
  readonly hurt: Float64Array;
}

export interface Attempt {
  /** Null where it does not fit, or is no faster than the limit. */
  readonly found: Found | null;
  /** For each original kernel, how much a byte too many there hurts; any unit. */
  readonly hurt: Float64Array;
}

/** What choices are tried on. */
export interface Setting {
  readonly graph: Graph;
  readonly model: Model;
  readonly machine: Machine;
  readonly goalMs: number;
}

/** @param limitMs plans that are no faster are of no interest; where it is finite, `hurt` is that of a plan that was given up */
export function tryOut(
  { graph, model, machine, goalMs }: Setting,
  pairs: Snapshot,
  trials: number,
  limitMs: number = Number.POSITIVE_INFINITY,
): Attempt {
  const hurt = new Float64Array(graph.kernels.length);
  const rewritten = rewrite(graph, toReruns(model, pairs), model.units);
  const problem = problemOf(rewritten.graph);
  if (problem.oracleMs >= limitMs) return { found: null, hurt };
  const { search, point, stepMs } = startOffloads(problem, machine, goalMs, limitMs, trials);
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

/** The plan of a point, in terms of the original graph. */
export function planOf(
  { search, rewritten }: Pick<Found, "search" | "rewritten">,
  point: Point,
): Pick<OffloadPlan, "steps" | "stepMs"> {
  const { stepMs } = search.evaluate(point);
  return { steps: originalSteps(rewritten, search.steps()), stepMs };
}

/** For each kernel of the rewritten graph, the first run that it precedes or is. */
export function stages({ originalKernel, isRecompute }: Rewritten): Int32Array {
  const stage = new Int32Array(originalKernel.length);
  for (let i = originalKernel.length - 1, next = 0; i >= 0; i--) {
    if (isRecompute[i] === 0) next = originalKernel[i] as number;
    stage[i] = next;
  }
  return stage;
}

function add(to: Float64Array, k: number, amount: number): void {
  to[k]! += amount;
}
