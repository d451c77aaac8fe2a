/** `makePlan`: the one way from a graph, a machine and a policy to a plan. Pure. */
import type { Graph } from "../graph/graph.ts";
import { dryRun } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import type { Effort, Machine, Policy } from "./policy.ts";
import { timeline } from "./timeline.ts";

export interface MadePlan {
  readonly plan: Plan;
  /** False when it exceeds the budget. */
  readonly fits: boolean;
}

/** @param effort default `full` */
export function makePlan(graph: Graph, machine: Machine, policy: Policy, effort?: Effort): MadePlan {
  const { steps, chosen, fits, lowerBoundMs } = policy.decide(graph, machine, effort);
  const { peakDeviceBytes, peakHostBytes, offloadBytes, recomputeMs } = dryRun(graph, steps);
  const { stepMs, stallMs } = timeline(graph, machine, steps);
  const oracleMs = graph.kernels.reduce((sum, { ms }) => sum + ms, 0);
  const predicted = {
    stepMs,
    oracleMs,
    lowerBoundMs: boundFor(stepMs, lowerBoundMs ?? oracleMs, oracleMs),
    peakDeviceBytes,
    peakHostBytes,
    offloadBytes,
    recomputeMs,
    stallMs,
  };
  return {
    plan: { schema: "vdnn-plan/1", graph: graph.name, machine: machine.name, policy: chosen, steps, predicted },
    fits,
  };
}

/** A bound may exceed what it bounds by a rounding error. Where there is no schedule at all, every kernel still has to run once. */
function boundFor(stepMs: number, boundMs: number, oracleMs: number): number {
  if (!Number.isFinite(boundMs)) return oracleMs;
  return boundMs > stepMs && boundMs <= stepMs * (1 + 1e-9) ? stepMs : boundMs;
}
