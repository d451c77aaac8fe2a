/**
 * The exact optimum of a small graph, to hold planners and lower bounds against: a mixed-integer program of the execution model
 * (`certify/model.ts`), solved by HiGHS, over the plans that `auto` may make of activations, gradients and inputs: which gaps
 * are offloaded, in which order copies go and when they are issued. With `recompute`, every choice of re-runs that could still
 * win is rewritten into a longer kernel list and solved in its turn. Weights and optimizer state stay; there is no spill tier.
 *
 * The optimum comes with its list of steps, timed by the independent validator: a proof from above. The program's bound is the
 * proof from below.
 */
import { VdnnError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { originalSteps, type Rerun, rewrite } from "./auto/rewrite.ts";
import { recomputeUnits } from "./recompute-units.ts";
import { type Lives, livesOf } from "./certify/lives.ts";
import { modelOf } from "./certify/model.ts";
import { solve } from "./certify/program.ts";
import { stepsOf } from "./certify/steps.ts";
import type { PlanStep } from "./plan.ts";
import { canMove, type Machine } from "./policy.ts";
import { validate } from "./validate.ts";

export interface CertifyOptions {
  /** May kernels run again? Default false. */
  readonly recompute?: boolean;
  /** Branch-and-bound nodes of each program. Default 200,000. */
  readonly maxNodes?: number;
  /** Re-run choices to look at, cheapest first. Default 400. */
  readonly maxChoices?: number;
  /** Step time of a known valid plan, ms: nothing slower is looked for. */
  readonly knownMs?: number;
}

export interface Certificate {
  /** Step time of the best plan found; Infinity where there is none (or none faster than `knownMs`). */
  readonly optimalMs: number;
  /** No plan is faster. */
  readonly boundMs: number;
  /** The two agree. */
  readonly proven: boolean;
  readonly steps: readonly PlanStep[] | undefined;
}

export const MAX_KERNELS = 16;
export const MAX_GAPS = 10;

/** Relative: what HiGHS's tolerances leave open. */
const TOLERANCE = 1e-5;

/**
 * @throws VdnnError `ERR_INVALID_OPTION` for graphs and machines beyond what can be proven: `details` has what and the limit
 */
export async function certify(graph: Graph, machine: Machine, options: CertifyOptions = {}): Promise<Certificate> {
  const { recompute = false, maxNodes = 200_000, maxChoices = 400, knownMs = Number.POSITIVE_INFINITY } = options;
  refuse("kernels", graph.kernels.length, MAX_KERNELS);
  refuse("gaps", livesOf(graph).gaps.length, MAX_GAPS);
  refuse("spill bytes", machine.spillBytes ?? 0, 0);
  let best = await solveList(graph, machine, maxNodes, knownMs);
  if (!recompute) return { ...best, proven: isClose(best) };
  const oracleMs = graph.kernels.reduce((sum, { ms }) => sum + ms, 0);
  let boundMs = best.boundMs;
  const { choices, isComplete } = rerunChoices(graph, Math.min(best.optimalMs, knownMs) - oracleMs, maxChoices);
  for (const choice of choices) {
    const rewritten = rewrite(graph, choice);
    const least = oracleMs + rewritten.recomputeMs;
    const limit = Math.min(best.optimalMs, knownMs);
    if (least >= limit * (1 - TOLERANCE)) continue;
    if (livesOf(rewritten.graph).gaps.length > 2 * MAX_GAPS) {
      boundMs = Math.min(boundMs, least);
      continue;
    }
    const found = await solveList(rewritten.graph, machine, maxNodes, limit);
    boundMs = Math.min(boundMs, found.boundMs);
    if (found.steps === undefined || found.optimalMs >= best.optimalMs) continue;
    const steps = originalSteps(rewritten, found.steps);
    best = { steps, optimalMs: validate(graph, steps, machine).stepMs, boundMs };
  }
  if (!isComplete) boundMs = Math.min(boundMs, oracleMs);
  const result = { ...best, boundMs: Math.min(boundMs, best.optimalMs) };
  return { ...result, proven: isClose(result) };
}

function refuse(what: string, got: number, limit: number): void {
  if (got <= limit) return;
  const message = `certify: the graph has ${got} ${what}, and optima are proven up to ${limit}; use lower bounds instead`;
  throw new VdnnError("ERR_INVALID_OPTION", message, { what, got, limit });
}

function isClose({ optimalMs, boundMs }: { readonly optimalMs: number; readonly boundMs: number }): boolean {
  return optimalMs === boundMs || optimalMs - boundMs <= TOLERANCE * optimalMs;
}

type Found = Omit<Certificate, "proven">;

/** The best plan that runs exactly these kernels. */
async function solveList(graph: Graph, machine: Machine, maxNodes: number, limitMs: number): Promise<Found> {
  const lives = livesOf(graph);
  const oracleMs = graph.kernels.reduce((sum, { ms }) => sum + ms, 0);
  const none: Found = { optimalMs: Number.POSITIVE_INFINITY, boundMs: Number.POSITIVE_INFINITY, steps: undefined };
  if (lives.during.every((bytes) => bytes <= machine.deviceBytes)) {
    return { optimalMs: oracleMs, boundMs: oracleMs, steps: keepAll(graph, lives) };
  }
  if (!canMove(machine) || lives.gaps.length === 0) return none;
  const { text, timeMs } = modelOf(graph, machine, lives, limitMs);
  const { status, values, bound } = await solve(text, maxNodes);
  // Infeasible within a limit: nothing is faster than the limit.
  if (status === "infeasible") return { ...none, boundMs: limitMs };
  const boundMs = Math.max(oracleMs, bound * timeMs);
  if (values === undefined) return { ...none, boundMs };
  const steps = stepsOf(graph, lives, values, timeMs);
  return { optimalMs: validate(graph, steps, machine).stepMs, boundMs, steps };
}

function keepAll(graph: Graph, { dead }: Lives): PlanStep[] {
  return [...graph.kernels.keys()].flatMap((kernel): PlanStep[] => [
    { kind: "compute", kernel },
    ...(dead[kernel] ?? []).map((tensor): PlanStep => ({ kind: "free", tensor })),
  ]);
}

/** Sets of re-runs whose time is below the slack, cheapest first. A unit may run again once before each kernel. */
function rerunChoices(
  graph: Graph,
  slackMs: number,
  most: number,
): { readonly choices: readonly (readonly Rerun[])[]; readonly isComplete: boolean } {
  const units = recomputeUnits(graph);
  const candidates: { readonly rerun: Rerun; readonly ms: number }[] = [];
  for (let u = 0; u < units.count; u++) {
    const members = units.members.slice(units.memberStart[u], units.memberStart[u + 1]);
    const first = members[0] ?? 0;
    for (let before = first + 2; before <= (units.latest[u] ?? -1); before++) {
      const ms = members.filter((k) => k < before).reduce((sum, k) => sum + (graph.kernels[k]?.ms ?? 0), 0);
      if (ms < slackMs) candidates.push({ rerun: { kernel: first, before }, ms });
    }
  }
  candidates.sort((a, b) => a.ms - b.ms);
  let frontier: { readonly picks: readonly number[]; readonly ms: number }[] = [{ picks: [], ms: 0 }];
  const choices: { readonly picks: readonly number[]; readonly ms: number }[] = [];
  // Far more than are ever solved; what is cut off makes the answer unproven.
  const cap = 20 * most;
  while (frontier.length > 0 && choices.length < cap) {
    const next: typeof frontier = [];
    for (const { picks, ms } of frontier) {
      for (let i = (picks.at(-1) ?? -1) + 1; i < candidates.length && next.length < cap; i++) {
        const sum = ms + (candidates[i]?.ms ?? 0);
        if (sum >= slackMs) break;
        next.push({ picks: [...picks, i], ms: sum });
      }
    }
    choices.push(...next);
    frontier = next;
  }
  const isComplete = choices.length < cap && choices.length <= most;
  return {
    choices: choices
      .toSorted((a, b) => a.ms - b.ms)
      .slice(0, most)
      .map(({ picks }) => picks.flatMap((i) => candidates[i]?.rerun ?? [])),
    isComplete,
  };
}
