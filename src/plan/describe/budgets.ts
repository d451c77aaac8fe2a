/**
 * The smallest device budget under which a plan really works: found by planning, and proven by the validator at that budget. A
 * plan that misses its budget says how much it would need, so few plans are made.
 */
import { VdnnError } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { PlanStep } from "../plan.ts";
import type { Machine, Policy } from "../policy.ts";
import { timeline } from "../timeline.ts";
import { validate } from "../validate.ts";
import { asItIs, floorOf } from "./peak.ts";

export interface SmallestBudget {
  readonly bytes: number;
  /** Of the plan at that budget. */
  readonly stepMs: number;
  /** Below this there is no plan at all: what the hungriest kernel needs at once. */
  readonly floorBytes: number;
}

export interface SearchOptions {
  /** A budget that was tried and did not work. Default 0. */
  readonly aboveBytes?: number;
  /** Plans to make at most. Default: fewer for longer iterations. */
  readonly probes?: number;
}

/** Budgets closer together than this, as a share, are not told apart. */
const RESOLUTION = 0.002;
/** Kernels. */
const LONG = 5000;

/** @returns null when no budget works under this policy on this machine */
export function smallestBudget(
  graph: Graph,
  machine: Machine,
  policy: Policy,
  options: SearchOptions = {},
): SmallestBudget | null {
  const { aboveBytes = 0 } = options;
  const { kernels } = graph;
  const moves = machine.hostBytes > 0 && machine.offloadGBps > 0 && machine.prefetchGBps > 0;
  const floorBytes = floorOf(graph, moves ? undefined : () => false).bytes;
  const probes = options.probes ?? probesFor(graph, moves);
  let low = Math.max(aboveBytes, floorBytes - 1);
  let high = asItIs(graph).bytes;
  let best: { readonly bytes: number; readonly steps: readonly PlanStep[] } | null = null;
  // Without copies a long iteration is not begun where hardly anything fits: nothing takes longer to find that out.
  let next = kernels.length > LONG && !moves ? middle(low, high) : Math.max(floorBytes, aboveBytes + 1);
  for (let probe = 0; probe < probes && next > low; probe++) {
    const found = attempt(graph, { ...machine, deviceBytes: next }, policy);
    if (found.stepMs === null) {
      low = next;
      // What the failed plan needs is often enough; where the host was short, it is not.
      if (found.neededBytes > next && (best === null || found.neededBytes < high)) {
        const again = attempt(graph, { ...machine, deviceBytes: found.neededBytes }, policy);
        if (again.stepMs !== null) {
          high = found.neededBytes;
          best = { bytes: high, steps: again.steps };
        }
      }
    } else {
      high = next;
      best = { bytes: high, steps: found.steps };
    }
    if (best !== null && high - low <= RESOLUTION * high) break;
    // Budgets that work begin near the lower end mostly; without any yet, the upper end is tried last of all.
    next = probe === probes - 2 && best === null ? high : middle(low, high);
  }
  if (best === null) return null;
  const { stepMs } = validate(graph, best.steps, { ...machine, deviceBytes: best.bytes });
  return { bytes: best.bytes, stepMs, floorBytes };
}

function middle(low: number, high: number): number {
  return Math.min(high, Math.ceil(Math.sqrt(Math.max(1, low) * high)));
}

/** Plans of long iterations take seconds, and most where nothing can be copied. */
function probesFor({ kernels }: Graph, moves: boolean): number {
  if (kernels.length > LONG) return moves ? 4 : 3;
  return kernels.length > 2000 ? 6 : 10;
}

export interface Attempt {
  readonly steps: readonly PlanStep[];
  /** Null where a budget is not kept. */
  readonly stepMs: number | null;
  readonly neededBytes: number;
}

/** A plan, by the planner's own word: the validator, which is slow, is asked about what is told in the end. */
export function attempt(graph: Graph, machine: Machine, policy: Policy): Attempt {
  const { steps, fits } = policy.decide(graph, machine);
  const run = dryRun(graph, steps);
  const stepMs = fits && fitsDryRun(run, machine) ? timeline(graph, machine, steps).stepMs : null;
  return { steps, stepMs, neededBytes: run.peakDeviceBytes };
}

/** The tier whose budget a plan was refused for; null for any other error. */
export function exceededTier(error: unknown): { readonly tier: string; readonly neededBytes: number } | null {
  if (!(error instanceof VdnnError) || error.code !== "ERR_INVALID_PLAN") return null;
  const { tier, neededBytes } = error.details;
  return typeof tier === "string" && typeof neededBytes === "number" ? { tier, neededBytes } : null;
}
