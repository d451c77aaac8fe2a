/**
 * How long a list of steps takes when copies run beside compute, each direction of the link in order:
 *
 *   compute   |f1|f2|f3|  |b3|b2|..|b1|
 *   offload      |x1---|x2---|             starts when its step is issued and the lane is free
 *   prefetch                  |x1---|      starts when issued, the lane is free and the copy out is done
 *
 * Memory that a late copy still holds is not modelled here: the dry run has decided that already.
 */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import type { PlanStep } from "./plan.ts";
import type { Machine } from "./policy.ts";

export interface Timeline {
  readonly stepMs: number;
  /** Time compute waited for copies, ms. */
  readonly stallMs: number;
}

export function timeline(graph: Graph, machine: Machine, steps: readonly PlanStep[]): Timeline {
  const copiedOut = new Map<TensorIndex, number>();
  const ready = new Map<TensorIndex, number>();
  let compute = 0;
  let out = 0;
  let back = 0;
  let stallMs = 0;
  const copyMs = (t: TensorIndex, gigabytesPerSecond: number): number =>
    (graph.tensors[t]?.bytes ?? 0) / (gigabytesPerSecond * 1e6);
  for (const step of steps) {
    if (step.kind === "offload") {
      out = Math.max(out, compute) + copyMs(step.tensor, machine.offloadGBps);
      copiedOut.set(step.tensor, out);
    } else if (step.kind === "prefetch") {
      back = Math.max(back, compute, copiedOut.get(step.tensor) ?? 0) + copyMs(step.tensor, machine.prefetchGBps);
      ready.set(step.tensor, back);
    } else if (step.kind !== "free") {
      const kernel = graph.kernels[step.kernel];
      const start = Math.max(compute, ...(kernel?.inputs.map((t) => ready.get(t) ?? 0) ?? []));
      stallMs += start - compute;
      compute = start + (kernel?.ms ?? 0);
    }
  }
  return { stepMs: Math.max(compute, out), stallMs };
}
