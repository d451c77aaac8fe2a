/** What a list of steps as a whole says about copies: which tensors start elsewhere, and which copies are read for the last time. */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import type { PlanStep, Tier } from "./plan.ts";

/** Tensors whose first step is a prefetch: the iteration before left them on the host (optimizer state). */
export function awayAtStart(graph: Graph, steps: readonly PlanStep[]): Set<TensorIndex> {
  return new Set(placesAtStart(graph, steps).keys());
}

/** The same, with the tier: that of the tensor's last copy out, where this iteration leaves it for the next. */
export function placesAtStart(graph: Graph, steps: readonly PlanStep[]): Map<TensorIndex, Tier> {
  const away = new Map<TensorIndex, Tier>();
  const seen = new Uint8Array(graph.tensors.length);
  for (const step of steps) {
    if (step.kind === "compute" || step.kind === "recompute") {
      const kernel = graph.kernels[step.kernel];
      for (const t of kernel?.inputs ?? []) seen[t] = 1;
      for (const t of kernel?.outputs ?? []) seen[t] = 1;
    } else {
      if (step.kind === "prefetch" && seen[step.tensor] === 0) {
        away.set(step.tensor, step.tier === "host" ? "spill" : "host");
      }
      if (step.kind === "offload" && away.has(step.tensor)) away.set(step.tensor, step.tier);
      seen[step.tensor] = 1;
    }
  }
  return away;
}

/**
 * For each step, 1 when it is a prefetch and nothing later relies on the copy that it reads: neither another prefetch of the same
 * version nor an offload, which then has no bytes to move.
 */
export function lastPrefetches(graph: Graph, steps: readonly PlanStep[]): Uint8Array {
  const isLast = new Uint8Array(steps.length);
  const isReadLater = new Uint8Array(graph.tensors.length);
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i] as PlanStep;
    if (step.kind === "prefetch") {
      isLast[i] = isReadLater[step.tensor] === 1 ? 0 : 1;
      isReadLater[step.tensor] = 1;
    } else if (step.kind === "offload") {
      isReadLater[step.tensor] = 1;
    } else if (step.kind === "compute" || step.kind === "recompute") {
      for (const t of graph.kernels[step.kernel]?.outputs ?? []) isReadLater[t] = 0;
    }
  }
  return isLast;
}
