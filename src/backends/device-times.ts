/**
 * Each kernel's share of the time that a device took for an iteration: as the device's own timestamps say, or else by the work that
 * shapes tell.
 */
import type { Graph, GraphKernel, GraphTensor } from "../graph/graph.ts";

export interface Observed {
  /** Kernels from here on have not run yet. */
  readonly reached: number;
  /** Of each kernel, how often it ran on the device; none where it ran on the processor, or only handed its input on. */
  readonly runs: ArrayLike<number | undefined>;
  /** Of each pass, the kernel that ran in it; -1 for none of the iteration's own. */
  readonly passes: readonly number[];
  /** Of each pass, its ms on the device; null when it did not tell. */
  readonly passMs: readonly number[] | null;
  /** The device computed for so long in all, ms. */
  readonly busyMs: number;
}

/** Operations in the time of a byte: what convolutions and matrix products of TF.js reach on GPUs. */
const OPERATIONS_PER_BYTE = 10;
const ELEMENT_BYTES = 4;
/** Their operations grow faster than their tensors. */
const PRODUCT = /Conv[23]D|MatMul/;

/**
 * Milliseconds of one run of each kernel. They add up to what the device was busy: what timestamps leave of that lies between passes,
 * and every run has the same part of it. NaN throughout when the device was not seen at work.
 */
export function deviceTimes({ kernels, tensors }: Graph, observed: Observed): Float64Array {
  const { reached, runs, passes, busyMs } = observed;
  const times = new Float64Array(kernels.length).fill(Number.NaN);
  const runsOf = (k: number): number => runs[k] ?? 0;
  const work = kernels.map((kernel) => workOf(kernel, tensors));
  const allWork = work.reduce((sum, each, k) => sum + each * runsOf(k), 0);
  if (!(busyMs > 0) || allWork === 0) return times;
  const passMs = plausible(observed.passMs);
  const allMs = passMs?.reduce((sum, ms) => sum + ms, 0) ?? 0;
  const allRuns = kernels.reduce((sum, _, k) => sum + runsOf(k), 0);
  const betweenMs = Math.max(0, busyMs - allMs) / allRuns;
  const measured = new Float64Array(kernels.length);
  passMs?.forEach((ms, pass) => (measured[passes[pass] ?? -1]! += ms * Math.min(1, busyMs / allMs)));
  return times.map((_, k) => {
    if (k >= reached || (passMs === null && runsOf(k) > 0)) return ((work[k] ?? 0) * busyMs) / allWork;
    return runsOf(k) === 0 ? 0 : (measured[k] ?? 0) / runsOf(k) + betweenMs;
  });
}

/** Some clocks stand still, or are set back. */
function plausible(passMs: readonly number[] | null): readonly number[] | null {
  return passMs?.every((ms) => ms >= 0) === true && passMs.some((ms) => ms > 0) ? passMs : null;
}

/** In bytes read and written. Operations are counted as those of a matrix product of tensors of these sizes. */
function workOf({ name, inputs, outputs }: GraphKernel, tensors: readonly GraphTensor[]): number {
  const bytes = [...inputs, ...outputs].map((t) => tensors[t]?.bytes ?? 0).toSorted((a, b) => b - a);
  const moved = bytes.reduce((sum, each) => sum + each, 0);
  if (!PRODUCT.test(name)) return moved;
  // The tensors of an (m, k) by (k, n) product have mk, kn and mn elements.
  const [a = 0, b = 0, c = a] = bytes;
  return moved + (2 * Math.sqrt(a * b * c)) / ELEMENT_BYTES ** 1.5 / OPERATIONS_PER_BYTE;
}
