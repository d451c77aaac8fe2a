/**
 * The dry run: device and host bytes along a list of plan steps, without time. This is how policies decide whether a plan fits,
 * instead of crashing. Copies count on both sides while they may be under way: an offloaded tensor's device bytes are free once
 * its step is done, a prefetched one's are taken from its step on.
 */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import type { PlanStep } from "./plan.ts";

export interface DryRun {
  readonly peakDeviceBytes: number;
  /** Kernel at which the peak occurs. */
  readonly peakKernel: KernelIndex;
  /** Tensors on the device at the peak. */
  readonly liveAtPeak: readonly TensorIndex[];
  readonly peakHostBytes: number;
  readonly offloadBytes: number;
  readonly recomputeMs: number;
}

/**
 * @param steps a plan's steps; `awayAtStart` are tensors that the previous iteration left on the host (optimizer state)
 */
export function dryRun(graph: Graph, steps: readonly PlanStep[]): DryRun {
  const onDevice = new Set<TensorIndex>();
  const onHost = new Set<TensorIndex>();
  const bytesOf = (t: TensorIndex): number => graph.tensors[t]?.bytes ?? 0;
  const started = awayAtStart(graph, steps);
  let device = 0;
  let host = 0;
  const enter = (t: TensorIndex): void => {
    if (onDevice.has(t)) return;
    onDevice.add(t);
    device += bytesOf(t);
  };
  const leave = (t: TensorIndex): void => {
    if (onDevice.delete(t)) device -= bytesOf(t);
  };
  graph.tensors.forEach(({ role }, t) => {
    if (!existsBefore(role)) return;
    if (!started.has(t)) return enter(t);
    onHost.add(t);
    host += bytesOf(t);
  });
  const result = { peakDeviceBytes: device, peakKernel: -1, liveAtPeak: [...onDevice], peakHostBytes: host };
  let offloadBytes = 0;
  let recomputeMs = 0;
  for (const step of steps) {
    switch (step.kind) {
      case "compute":
      case "recompute": {
        const kernel = graph.kernels[step.kernel];
        if (kernel === undefined) break;
        for (const t of kernel.outputs) enter(t);
        const during = device + (kernel.workspaceBytes ?? 0);
        if (step.kind === "recompute") recomputeMs += kernel.ms;
        if (during > result.peakDeviceBytes) {
          Object.assign(result, { peakDeviceBytes: during, peakKernel: step.kernel, liveAtPeak: [...onDevice] });
        }
        break;
      }
      case "offload":
        leave(step.tensor);
        if (!onHost.has(step.tensor)) {
          onHost.add(step.tensor);
          host += bytesOf(step.tensor);
          offloadBytes += bytesOf(step.tensor);
        }
        break;
      case "prefetch":
        enter(step.tensor);
        if (onHost.delete(step.tensor)) host -= bytesOf(step.tensor);
        break;
      case "free":
        leave(step.tensor);
        break;
      default:
        step satisfies never;
    }
    result.peakHostBytes = Math.max(result.peakHostBytes, host);
    if (device > result.peakDeviceBytes) Object.assign(result, { peakDeviceBytes: device, liveAtPeak: [...onDevice] });
  }
  return { ...result, offloadBytes, recomputeMs };
}

/** Tensors whose first step is a prefetch: the iteration before left them on the host. */
export function awayAtStart(graph: Graph, steps: readonly PlanStep[]): Set<TensorIndex> {
  const away = new Set<TensorIndex>();
  const seen = new Set<TensorIndex>();
  for (const step of steps) {
    if (step.kind === "compute" || step.kind === "recompute") {
      const kernel = graph.kernels[step.kernel];
      for (const t of kernel?.inputs ?? []) seen.add(t);
      for (const t of kernel?.outputs ?? []) seen.add(t);
    } else {
      if (step.kind === "prefetch" && !seen.has(step.tensor)) away.add(step.tensor);
      seen.add(step.tensor);
    }
  }
  return away;
}

/**
 * The least device budget under which any plan that moves and recomputes freely can run: what no plan may move, plus what the
 * hungriest kernel needs at once.
 *
 * @param movable whether a tensor may leave the device between its uses
 */
export function smallestFeasibleBytes(
  graph: Graph,
  movable: (t: TensorIndex) => boolean,
): { readonly bytes: number; readonly kernel: KernelIndex } {
  const fixed = new Set<TensorIndex>();
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role) && !movable(t)) fixed.add(t);
  });
  let fixedBytes = 0;
  for (const t of fixed) fixedBytes += graph.tensors[t]?.bytes ?? 0;
  let bytes = fixedBytes;
  let peak = -1;
  let outputBytes = 0;
  graph.kernels.forEach((kernel, k) => {
    const own = new Set([...kernel.inputs, ...kernel.outputs].filter((t) => !fixed.has(t)));
    let need = fixedBytes + (kernel.workspaceBytes ?? 0) + outputBytes;
    for (const t of own) need += graph.tensors[t]?.bytes ?? 0;
    for (const t of kernel.outputs) {
      const tensor = graph.tensors[t];
      if (tensor?.role === "output" && !movable(t)) outputBytes += tensor.bytes;
    }
    if (need <= bytes) return;
    bytes = need;
    peak = k;
  });
  return { bytes, kernel: peak };
}
