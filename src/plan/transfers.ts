/**
 * What vDNN's policies have in common: which tensors have a gap between forward and backward pass, and when to call them back.
 */
import { append } from "../graph/append.ts";
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { layersOf } from "../graph/layers.ts";
import { lifetimes } from "../graph/lifetimes.ts";
import type { Transfer } from "./steps.ts";

/** Below this a copy costs more in calls than it saves in bytes. */
export const MIN_TRANSFER_BYTES: number = 16 * 1024;

/** The stretch between the last use of a tensor in the forward pass and its first use after it. */
export interface Gap {
  readonly tensor: TensorIndex;
  readonly bytes: number;
  readonly lastForwardUse: KernelIndex;
  readonly neededBy: KernelIndex;
}

/** Feature maps (and the iteration's inputs) that backpropagation needs again, in order of their last forward use. */
export function forwardGaps(graph: Graph): Gap[] {
  const gaps: Gap[] = [];
  for (const { tensor, bytes, role, uses } of lifetimes(graph)) {
    if ((role !== "activation" && role !== "input") || bytes < MIN_TRANSFER_BYTES) continue;
    const forward = uses.filter((k) => graph.kernels[k]?.pass === "forward");
    const lastForwardUse = forward.at(-1);
    const neededBy = uses.find((k) => k > (lastForwardUse ?? 0) && graph.kernels[k]?.pass === "backward");
    if (lastForwardUse === undefined || neededBy === undefined || neededBy - lastForwardUse < 2) continue;
    gaps.push({ tensor, bytes, lastForwardUse, neededBy });
  }
  return gaps.toSorted((a, b) => a.lastForwardUse - b.lastForwardUse);
}

/**
 * vDNN's prefetch rule (`findPrefetchLayer`, section III-B of the paper): when the backward pass of a layer begins, the nearest
 * layer still to come that waits for a feature map is prefetched, but the search does not go beyond the next convolution, so
 * that data does not arrive long before it is used. What the rule does not reach is called back right before its kernel.
 */
export function scheduleTransfers(graph: Graph, gaps: readonly Gap[]): Transfer[] {
  const order = layersOf(graph)
    .filter((layer) => layer.backwardStart >= 0)
    .toSorted((a, b) => a.backwardStart - b.backwardStart);
  const waiting = new Map<string, Gap[]>();
  for (const gap of gaps) append(waiting, graph.kernels[gap.neededBy]?.layer ?? "", gap);
  const prefetchBefore = new Map<TensorIndex, KernelIndex>();
  order.forEach(({ backwardStart }, position) => {
    for (const layer of order.slice(position + 1)) {
      const gapsOfLayer = waiting.get(layer.name);
      if (gapsOfLayer !== undefined) {
        waiting.delete(layer.name);
        for (const gap of gapsOfLayer) {
          if (backwardStart > gap.lastForwardUse) prefetchBefore.set(gap.tensor, backwardStart);
        }
        return;
      }
      if (layer.isConvolution) return;
    }
  });
  return gaps.map(({ tensor, lastForwardUse, neededBy }) => ({
    tensor,
    after: lastForwardUse,
    prefetchBefore: Math.min(prefetchBefore.get(tensor) ?? neededBy, neededBy),
    neededBy,
    tier: "host",
  }));
}

/**
 * Weight gradients that wait for the update: away once they are complete, called back for it, away again after it where the
 * caller may still hold them (`output`). The paper leaves them where they are.
 */
export function gradientTransfers(graph: Graph): Transfer[] {
  return lifetimes(graph).flatMap(({ tensor, role, bytes, uses, lastUse, definedBy }): Transfer[] => {
    const neededBy = uses.find((k) => graph.kernels[k]?.pass === "update");
    const after = uses.findLast((k) => graph.kernels[k]?.pass === "backward");
    if (graph.kernels[definedBy]?.pass !== "backward" || (role !== "gradient" && role !== "output")) return [];
    if (bytes < MIN_TRANSFER_BYTES || neededBy === undefined || after === undefined || neededBy - after < 2) return [];
    const transfer: Transfer = { tensor, after, prefetchBefore: neededBy, neededBy, tier: "host" };
    return [role === "output" ? { ...transfer, leavesAfter: lastUse } : transfer];
  });
}

/** Optimizer state between its updates: away at the start, called back for its update, sent away after it. */
export function stateTransfers(graph: Graph): Transfer[] {
  return lifetimes(graph)
    .filter(({ role, bytes, uses }) => role === "state" && bytes >= MIN_TRANSFER_BYTES && uses.length > 0)
    .map(({ tensor, uses, lastUse }) => ({
      tensor,
      after: lastUse,
      prefetchBefore: uses[0] ?? 0,
      neededBy: uses[0] ?? 0,
      tier: "host",
    }));
}
