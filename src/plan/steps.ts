/**
 * From decisions to a list of steps: weaves copies and recomputation into the kernels' order, then frees every tensor after
 * the last step that needs it.
 */
import { append } from "../graph/append.ts";
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsAfter } from "../graph/lifetimes.ts";
import type { PlanStep, Tier } from "./plan.ts";

/** One tensor leaves after a kernel and is called back before another. */
export interface Transfer {
  readonly tensor: TensorIndex;
  /** Kernel after which the copy out is issued: the last use before the gap. */
  readonly after: KernelIndex;
  /** Kernel before which the copy in is issued. */
  readonly prefetchBefore: KernelIndex;
  /** First kernel that needs it again. */
  readonly neededBy: KernelIndex;
  readonly tier: Tier;
  /** Kernel after which it leaves once more, until the end; the copy of the first time still holds. */
  readonly leavesAfter?: KernelIndex;
}

export interface Recompute {
  /** Kernel before which the list is re-run, in order. */
  readonly before: KernelIndex;
  readonly kernels: readonly KernelIndex[];
}

export function weave(graph: Graph, transfers: readonly Transfer[], recomputes: readonly Recompute[] = []): PlanStep[] {
  const before = new Map<KernelIndex, PlanStep[]>();
  const after = new Map<KernelIndex, PlanStep[]>();
  for (const { before: k, kernels } of recomputes) {
    for (const kernel of kernels) append(before, k, { kind: "recompute", kernel });
  }
  for (const { tensor, after: k, prefetchBefore, tier, leavesAfter } of transfers) {
    append(after, k, { kind: "offload", tensor, tier });
    if (leavesAfter !== undefined) append(after, leavesAfter, { kind: "offload", tensor, tier });
    append(before, prefetchBefore, { kind: "prefetch", tensor });
  }
  const steps: PlanStep[] = [];
  for (const kernel of graph.kernels.keys()) {
    steps.push(...(before.get(kernel) ?? []), { kind: "compute", kernel }, ...(after.get(kernel) ?? []));
  }
  return insertFrees(graph, steps);
}

/** Walks the steps backwards and frees what no later step needs; what is rebuilt later is freed until then. */
export function insertFrees(graph: Graph, steps: readonly PlanStep[]): PlanStep[] {
  const needed = new Set<TensorIndex>();
  graph.tensors.forEach(({ role }, t) => {
    if (existsAfter(role)) needed.add(t);
  });
  const reversed: PlanStep[] = [];
  for (const step of steps.toReversed()) {
    switch (step.kind) {
      case "compute":
      case "recompute": {
        const kernel = graph.kernels[step.kernel];
        if (kernel === undefined) break;
        for (const tensor of new Set([...kernel.outputs, ...kernel.inputs])) {
          if (!needed.has(tensor)) reversed.push({ kind: "free", tensor });
        }
        reversed.push(step);
        for (const t of kernel.outputs) needed.delete(t);
        for (const t of kernel.inputs) needed.add(t);
        break;
      }
      case "prefetch":
        reversed.push(step);
        needed.delete(step.tensor);
        break;
      case "offload":
        reversed.push(step);
        needed.add(step.tensor);
        break;
      case "free":
        break;
      default:
        step satisfies never;
    }
  }
  return reversed.toReversed();
}
