/**
 * What a gap costs where the computing thread makes the copies itself, or where nothing can be copied at all: then the step takes
 * exactly as long as its kernels, its re-runs and its copies together, and the fewest bytes are the fastest plan.
 */
import { msPerByte } from "../execution.ts";
import type { Machine } from "../policy.ts";
import { type Cover, cheapestCover, type Interval } from "./cover.ts";
import type { Problem } from "./gaps.ts";

/**
 * One interval for each gap; ms per byte of the copies that it takes. The copy out of a version serves all its gaps: the longest
 * one pays for it, so that all of them together never pay more than is true.
 *
 * @param again ms per byte of building what is in a gap again instead; Infinity where that is not allowed
 */
export function gapIntervals({ gaps, flat }: Problem, machine: Machine, again: Float64Array | null): Interval {
  const [out, back] = [msPerByte(machine.offloadGBps), msPerByte(machine.prefetchGBps)];
  const isMovable = machine.hostBytes > 0;
  const rate = new Float64Array(gaps.count);
  const from = new Int32Array(gaps.count);
  const to = new Int32Array(gaps.count);
  for (let g = 0; g < gaps.count; g++) {
    [from[g], to[g]] = [(gaps.from[g] as number) + 1, Math.min(gaps.to[g] as number, flat.kernelCount)];
    const isTail = gaps.to[g] === flat.kernelCount;
    const isHead = (gaps.from[g] as number) < 0;
    const copies = (isTail ? 0 : back) + (!isHead && paysOut(gaps, g) ? out : 0);
    rate[g] = Math.min(isMovable ? copies : Number.POSITIVE_INFINITY, again?.[g] ?? Number.POSITIVE_INFINITY);
  }
  return { from, to, bytes: gaps.bytes, rate };
}

/** @returns null when not even with everything away there is room */
export function cheapestGaps(problem: Problem, machine: Machine, intervals: Interval): Cover | null {
  return cheapestCover(
    Float64Array.from(problem.keptBytes, (bytes) => bytes - machine.deviceBytes),
    intervals,
  );
}

/** Prices of a byte at each kernel: those of the cheapest gaps. In long iterations only the worst kernels have one. */
export function gapPrices(problem: Problem, machine: Machine, intervals: Interval): Float64Array | null {
  const over = Float64Array.from(problem.keptBytes, (bytes) => bytes - machine.deviceBytes);
  return cheapestCover(worstOnly(over, intervals.bytes.length), intervals)?.price ?? null;
}

/** Keeps the largest need of each stretch of kernels, with as many stretches as can be afforded: whoever covers all, covers these. */
export function worstOnly(need: Float64Array, intervals: number): Float64Array {
  const stride = Math.ceil(need.length / Math.max(MIN_KERNELS, Math.floor(WORK / (intervals + 1))));
  if (stride <= 1) return need;
  const kept = new Float64Array(need.length);
  for (const k of worstOfEach(need, stride)) kept[k] = need[k] as number;
  return kept;
}

/** The kernel with the largest need of each stretch of so many. */
export function worstOfEach(need: Float64Array, stride: number): number[] {
  const worst: number[] = [];
  for (let k = 0; k < need.length; k++) {
    const i = Math.floor(k / stride);
    if (i === worst.length || (need[k] as number) > (need[worst[i] as number] as number)) worst[i] = k;
  }
  return worst;
}

/** Kernels times intervals. */
const WORK = 2e6;
const MIN_KERNELS = 200;

function paysOut({ previous, next, from, to }: Problem["gaps"], g: number): boolean {
  const length = (h: number): number => (to[h] as number) - (from[h] as number);
  for (let h = previous[g] as number; h >= 0; h = previous[h] as number) if (length(h) >= length(g)) return false;
  for (let h = next[g] as number; h >= 0; h = next[h] as number) if (length(h) > length(g)) return false;
  return true;
}
