/**
 * What a timed run moved: bytes each way, how much of the copies' time computation hid, and the energy of it by a table that is
 * passed in. Pure.
 */
import type { Graph } from "../graph/graph.ts";
import type { EnergyTable } from "./energy-data.ts";
import type { TimedRun, TimedStep } from "./timed-steps.ts";

export interface Movement {
  /** Device to host. */
  readonly offloadBytes: number;
  /** Host to device. */
  readonly prefetchBytes: number;
  /** Both directions, each counted by itself. */
  readonly copyMs: number;
  /** Share of `copyMs` during which a kernel ran. Null where nothing was copied. */
  readonly overlap: number | null;
  readonly recomputeMs: number;
  /** Operands of the kernels that ran again, each once. */
  readonly recomputeBytes: number;
}

export function movementOf(graph: Graph, { steps }: TimedRun): Movement {
  const kernels = steps.filter(({ step }) => step.kind === "compute" || step.kind === "recompute");
  const copies = steps.filter(
    ({ step, startMs, endMs }) => (step.kind === "offload" || step.kind === "prefetch") && endMs > startMs,
  );
  let [offloadBytes, prefetchBytes, recomputeBytes, copyMs, recomputeMs] = [0, 0, 0, 0, 0];
  for (const { step, startMs, endMs } of copies) {
    copyMs += endMs - startMs;
    if (step.kind === "offload") offloadBytes += graph.tensors[step.tensor]?.bytes ?? 0;
    else if (step.kind === "prefetch") prefetchBytes += graph.tensors[step.tensor]?.bytes ?? 0;
  }
  for (const { step, startMs, endMs } of kernels) {
    if (step.kind !== "recompute") continue;
    recomputeMs += endMs - startMs;
    const { inputs = [], outputs = [] } = graph.kernels[step.kernel] ?? {};
    for (const t of [...inputs, ...outputs]) recomputeBytes += graph.tensors[t]?.bytes ?? 0;
  }
  const overlap = copyMs > 0 ? Math.min(1, hiddenMs(kernels, copies) / copyMs) : null;
  return { offloadBytes, prefetchBytes, copyMs, overlap, recomputeMs, recomputeBytes };
}

/** Kernels stand in time order and do not overlap; a copy meets those that end after its start and start before its end. */
function hiddenMs(kernels: readonly TimedStep[], copies: readonly TimedStep[]): number {
  const ends = Float64Array.from(kernels, ({ endMs }) => endMs);
  let total = 0;
  for (const { startMs, endMs } of copies) {
    for (let k = firstAfter(ends, startMs); k < kernels.length; k++) {
      const kernel = kernels[k] as TimedStep;
      if (kernel.startMs >= endMs) break;
      total += Math.max(0, Math.min(endMs, kernel.endMs) - Math.max(startMs, kernel.startMs));
    }
  }
  return total;
}

/** Index of the first value that is greater; `values` ascend. */
function firstAfter(values: Float64Array, limit: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Energy of the data that moved, pJ: copies touch both memories and the link, recomputation touches the device's alone. */
export function movementPj(
  { offloadBytes, prefetchBytes, recomputeBytes }: Pick<Movement, "offloadBytes" | "prefetchBytes" | "recomputeBytes">,
  { wordBytes, devicePj, hostPj, linkPj }: EnergyTable,
): { readonly copyPj: number; readonly recomputePj: number } {
  return {
    copyPj: ((offloadBytes + prefetchBytes) / wordBytes) * (devicePj + hostPj + linkPj),
    recomputePj: (recomputeBytes / wordBytes) * devicePj,
  };
}
