/**
 * How long a list of steps takes on a machine: Note [Execution model] in execution.ts, run over the list. Copies run beside
 * compute, and both wait for memory.
 */
import type { Graph } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { lastPrefetches, placesAtStart } from "./copies.ts";
import { Execution } from "./execution.ts";
import { type FlatGraph, flatten } from "./flat.ts";
import type { PlanStep } from "./plan.ts";
import type { Machine } from "./policy.ts";

export interface Timeline {
  readonly stepMs: number;
  /** Time compute waited for copies or for memory, ms. */
  readonly stallMs: number;
  /** Every grant found room. A list that does not fit is timed as if what it lacks were there. */
  readonly fits: boolean;
}

/** @param flat the graph as flat arrays, where the caller has them */
export function timeline(
  graph: Graph,
  machine: Machine,
  steps: readonly PlanStep[],
  flat: FlatGraph = flatten(graph),
): Timeline {
  const execution = new Execution(flat, machine);
  const away = placesAtStart(graph, steps);
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role)) execution.begin(t, away.get(t) ?? "device");
  });
  const isLast = lastPrefetches(graph, steps);
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as PlanStep;
    switch (step.kind) {
      case "compute":
      case "recompute":
        execution.compute(step.kernel);
        break;
      case "offload":
        execution.offload(step.tensor, step.tier, step.keep === true);
        break;
      case "prefetch":
        execution.prefetch(step.tensor, step.tier ?? "device", isLast[i] === 1);
        break;
      case "free":
        execution.free(step.tensor);
        break;
      default:
        step satisfies never;
    }
  }
  return { stepMs: execution.endMs, stallMs: execution.stallMs, fits: execution.fits };
}
