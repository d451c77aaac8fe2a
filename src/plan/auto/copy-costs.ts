/**
 * What a gap costs where the computing thread makes the copies itself, or where nothing can be copied at all: then the step takes
 * exactly as long as its kernels, its re-runs and its copies together, and the fewest bytes are the fastest plan.
 */
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

function paysOut({ previous, next, from, to }: Problem["gaps"], g: number): boolean {
  const length = (h: number): number => (to[h] as number) - (from[h] as number);
  for (let h = previous[g] as number; h >= 0; h = previous[h] as number) if (length(h) >= length(g)) return false;
  for (let h = next[g] as number; h >= 0; h = next[h] as number) if (length(h) > length(g)) return false;
  return true;
}

function msPerByte(gigabytesPerSecond: number): number {
  return gigabytesPerSecond > 0 ? 1 / (gigabytesPerSecond * 1e6) : Number.POSITIVE_INFINITY;
}
