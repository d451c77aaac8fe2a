/** Memory over time of a timed list of steps: peak, average, samples. The simulator's copy lanes are host only, without spill. */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { awayAtStart, lastPrefetches } from "../plan/copies.ts";
import type { TimedRun } from "./timed-steps.ts";

/** Bytes from a time on. */
export interface Sample {
  readonly timeMs: number;
  readonly deviceBytes: number;
  readonly hostBytes: number;
}

export interface Occupancy {
  readonly samples: readonly Sample[];
  readonly peakDeviceBytes: number;
  /** Over time. */
  readonly averageDeviceBytes: number;
  readonly peakHostBytes: number;
  /** Device to host. */
  readonly offloadBytes: number;
}

export interface OccupancyOptions {
  /** Which tensors count on the device. Default all. */
  readonly counts?: (t: TensorIndex) => boolean;
  /** Whether a kernel's workspace counts. Default always. */
  readonly countsWorkspace?: (kernel: number) => boolean;
}

interface Change {
  readonly timeMs: number;
  readonly device: number;
  readonly host: number;
}

export function occupancy(graph: Graph, { steps, stepMs }: TimedRun, options: OccupancyOptions = {}): Occupancy {
  const { counts = () => true, countsWorkspace = () => true } = options;
  const changes: Change[] = [];
  const note = (timeMs: number, deviceChange: number, hostChange: number): void => {
    // To the nanosecond: a start computed as end minus length may precede, by rounding, the end that it waited for.
    changes.push({ timeMs: Math.round(timeMs * 1e6) / 1e6, device: deviceChange, host: hostChange });
  };
  const onDevice = new Set<TensorIndex>();
  const onHost = new Set<TensorIndex>();
  let [device, host, offloadBytes] = [0, 0, 0];
  const bytesOf = (t: TensorIndex): number => graph.tensors[t]?.bytes ?? 0;
  const moveDevice = (t: TensorIndex, timeMs: number, sign: 1 | -1): void => {
    if (sign === 1 ? onDevice.has(t) : !onDevice.delete(t)) return;
    if (sign === 1) onDevice.add(t);
    if (counts(t)) note(timeMs, sign * bytesOf(t), 0);
  };
  const moveHost = (t: TensorIndex, timeMs: number, sign: 1 | -1): void => {
    if (sign === 1 ? onHost.has(t) : !onHost.delete(t)) return;
    if (sign === 1) onHost.add(t);
    note(timeMs, 0, sign * bytesOf(t));
  };
  const list = steps.map(({ step }) => step);
  const away = awayAtStart(graph, list);
  const isLast = lastPrefetches(graph, list);
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role)) (away.has(t) ? moveHost : moveDevice)(t, 0, 1);
  });
  for (const [i, { step, startMs, endMs }] of steps.entries()) {
    if (step.kind === "compute" || step.kind === "recompute") {
      const kernel = graph.kernels[step.kernel];
      const workspace = countsWorkspace(step.kernel) ? (kernel?.workspaceBytes ?? 0) : 0;
      for (const t of kernel?.outputs ?? []) {
        moveDevice(t, startMs, 1);
        moveHost(t, endMs, -1);
      }
      if (workspace > 0) {
        note(startMs, workspace, 0);
        note(endMs, -workspace, 0);
      }
      continue;
    }
    const { tensor } = step;
    if (step.kind === "prefetch") {
      moveDevice(tensor, startMs, 1);
      if (isLast[i] === 1) moveHost(tensor, endMs, -1);
    } else if (step.kind === "offload") {
      if (endMs > startMs) offloadBytes += bytesOf(tensor);
      moveHost(tensor, startMs, 1);
      if (step.keep !== true) moveDevice(tensor, endMs, -1);
    } else {
      moveDevice(tensor, endMs, -1);
    }
  }
  // Bytes that leave at a time are free for what arrives at it.
  changes.sort((a, b) => a.timeMs - b.timeMs || a.device - b.device);
  const samples: Sample[] = [];
  let [area, peakDevice, peakHost, before] = [0, 0, 0, 0];
  for (const { timeMs, device: d, host: h } of changes) {
    area += device * (timeMs - before);
    before = timeMs;
    device += d;
    host += h;
    peakDevice = Math.max(peakDevice, device);
    peakHost = Math.max(peakHost, host);
    if (samples.at(-1)?.timeMs === timeMs) samples.pop();
    samples.push({ timeMs, deviceBytes: device, hostBytes: host });
  }
  area += device * (stepMs - before);
  return {
    samples,
    peakDeviceBytes: peakDevice,
    averageDeviceBytes: stepMs > 0 ? area / stepMs : device,
    peakHostBytes: peakHost,
    offloadBytes,
  };
}
