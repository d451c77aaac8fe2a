/**
 * The dry run: bytes of each tier along a list of plan steps, without time: every release happens at its step. This is how
 * policies decide whether a plan fits, instead of crashing: a list is free of deadlock if and only if the dry run stays within
 * the budgets (Note [Execution model] in execution.ts).
 */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { lastPrefetches, placesAtStart } from "./copies.ts";
import { ON_DEVICE, ON_HOST, ON_SPILL } from "./execution.ts";
import type { PlanStep } from "./plan.ts";
import type { Machine } from "./policy.ts";

export interface DryRun {
  readonly peakDeviceBytes: number;
  /** Kernel at which the peak occurs. */
  readonly peakKernel: KernelIndex;
  /** Tensors on the device at the peak. */
  readonly liveAtPeak: readonly TensorIndex[];
  readonly peakHostBytes: number;
  readonly peakSpillBytes: number;
  /** Bytes copied from the device. */
  readonly offloadBytes: number;
  readonly recomputeMs: number;
}

export function dryRun(graph: Graph, steps: readonly PlanStep[]): DryRun {
  const meter = new Meter(graph, steps);
  let [offloadBytes, recomputeMs] = [0, 0];
  let [peakDeviceBytes, peakKernel, peakStep] = [meter.device, -1, -1];
  let [peakHostBytes, peakSpillBytes] = [meter.host, meter.spill];
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as PlanStep;
    offloadBytes += meter.apply(i);
    if (step.kind === "recompute") recomputeMs += graph.kernels[step.kernel]?.ms ?? 0;
    const isKernel = step.kind === "compute" || step.kind === "recompute";
    const during = meter.device + (isKernel ? (graph.kernels[step.kernel]?.workspaceBytes ?? 0) : 0);
    if (during > peakDeviceBytes) {
      [peakDeviceBytes, peakStep] = [during, i];
      if (isKernel) peakKernel = step.kernel;
    }
    peakHostBytes = Math.max(peakHostBytes, meter.transit);
    peakSpillBytes = Math.max(peakSpillBytes, meter.spill);
  }
  const atPeak = new Meter(graph, steps);
  for (let i = 0; i <= peakStep; i++) atPeak.apply(i);
  const liveAtPeak = [...graph.tensors.keys()].filter((t) => ((atPeak.where[t] ?? 0) & ON_DEVICE) !== 0);
  return { peakDeviceBytes, peakKernel, liveAtPeak, peakHostBytes, peakSpillBytes, offloadBytes, recomputeMs };
}

/** The budgets hold at every step. */
export function fitsDryRun(run: DryRun, machine: Machine): boolean {
  return (
    run.peakDeviceBytes <= machine.deviceBytes &&
    run.peakHostBytes <= machine.hostBytes &&
    run.peakSpillBytes <= (machine.spillBytes ?? 0)
  );
}

/** Invariant: `device`, `host` and `spill` are the sums over the tensors that have the tier's bit in `where`. */
class Meter {
  readonly where: Uint8Array;
  device = 0;
  host = 0;
  spill = 0;
  /** Host bytes during the last step, with what only passes through. */
  transit = 0;
  readonly #graph: Graph;
  readonly #steps: readonly PlanStep[];
  readonly #isLast: Uint8Array;

  constructor(graph: Graph, steps: readonly PlanStep[]) {
    this.#graph = graph;
    this.#steps = steps;
    this.#isLast = lastPrefetches(graph, steps);
    this.where = new Uint8Array(graph.tensors.length);
    const away = placesAtStart(graph, steps);
    graph.tensors.forEach(({ role }, t) => {
      if (existsBefore(role)) this.#add(t, TIER_BITS[away.get(t) ?? "device"]);
    });
  }

  /** Applies step i; returns the bytes that it copies from the device. */
  apply(i: number): number {
    const step = this.#steps[i] as PlanStep;
    this.transit = this.host;
    if (step.kind === "compute" || step.kind === "recompute") {
      for (const t of this.#graph.kernels[step.kernel]?.outputs ?? []) {
        this.#drop(t, ON_HOST | ON_SPILL);
        this.#add(t, ON_DEVICE);
      }
      return 0;
    }
    const t = step.tensor;
    const bytes = this.#graph.tensors[t]?.bytes ?? 0;
    const before = this.where[t] ?? 0;
    let copied = 0;
    if (step.kind === "offload") {
      const isThere = (before & ON_HOST) !== 0 || (step.tier === "spill" && (before & ON_SPILL) !== 0);
      if (!isThere) {
        copied = bytes;
        this.transit = this.host + bytes;
      }
      this.#add(t, step.tier === "spill" ? ON_SPILL : ON_HOST);
      if (step.tier === "spill") this.#drop(t, ON_HOST);
      if (step.keep !== true) this.#drop(t, ON_DEVICE);
    } else if (step.kind === "prefetch") {
      if ((before & ON_HOST) === 0) this.transit = this.host + bytes;
      this.#add(t, step.tier === "host" ? ON_HOST : ON_DEVICE);
      if (step.tier !== "host" && this.#isLast[i] === 1) this.#drop(t, ON_HOST | ON_SPILL);
    } else {
      this.#drop(t, ON_DEVICE);
    }
    return copied;
  }

  #add(t: TensorIndex, bit: number): void {
    if (((this.where[t] ?? 0) & bit) !== 0) return;
    this.#change(bit, this.#graph.tensors[t]?.bytes ?? 0);
    this.where[t] = (this.where[t] ?? 0) | bit;
  }

  #drop(t: TensorIndex, bits: number): void {
    const held = (this.where[t] ?? 0) & bits;
    this.#change(held, -(this.#graph.tensors[t]?.bytes ?? 0));
    this.where[t] = (this.where[t] ?? 0) & ~held;
  }

  #change(bits: number, bytes: number): void {
    if ((bits & ON_DEVICE) !== 0) this.device += bytes;
    if ((bits & ON_HOST) !== 0) this.host += bytes;
    if ((bits & ON_SPILL) !== 0) this.spill += bytes;
  }
}

const TIER_BITS = { device: ON_DEVICE, host: ON_HOST, spill: ON_SPILL } as const;

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
