/**
 * Which gaps to use where every byte that moves costs step time: the cheapest cover (cover.ts), with whole tensors. What the cover
 * splits leaves whole; then the dearest that is not needed comes back, and single gaps are swapped for cheaper ones.
 */
import type { Machine } from "../policy.ts";
import { cheapestGaps, gapIntervals } from "./copy-costs.ts";
import { Curve } from "./curve.ts";
import { isPaired, markPairs, type Problem } from "./gaps.ts";

export interface FewestBytes {
  /** 1 for gaps that are used. */
  readonly chosen: Uint8Array;
  /** Their copies, ms. */
  readonly copyMs: number;
  /** ms that one byte less at each kernel would save. */
  readonly price: Float64Array;
}

/** @returns null when not even with everything away there is room */
export function fewestBytes(problem: Problem, machine: Machine): FewestBytes | null {
  const { gaps, keptBytes, flat } = problem;
  const intervals = gapIntervals(problem, machine, null);
  const cover = cheapestGaps(problem, machine, intervals);
  if (cover === null) return null;
  const { from, to, bytes, rate } = intervals;
  const chosen = Uint8Array.from(cover.away, (away) => (away > 0 ? 1 : 0));
  const curve = new Curve(flat.kernelCount);
  curve.reset(Float64Array.from(keptBytes, (kept) => kept - machine.deviceBytes));
  for (let g = 0; g < gaps.count; g++) {
    if (chosen[g] === 1) curve.add(from[g] as number, to[g] as number, -(bytes[g] as number));
  }
  const cost = (g: number): number => (rate[g] as number) * (bytes[g] as number);
  const put = (g: number, isUsed: 0 | 1): void => {
    chosen[g] = isUsed;
    curve.add(from[g] as number, to[g] as number, isUsed === 1 ? -(bytes[g] as number) : (bytes[g] as number));
  };
  const isNeeded = (g: number): boolean => curve.max(from[g] as number, to[g] as number) + (bytes[g] as number) > 0;
  const isFixed = (g: number): boolean => isPaired(problem, g);
  const dearestFirst = Int32Array.from(gaps.bytes.keys()).sort((a, b) => cost(b) - cost(a) || a - b);
  for (const g of dearestFirst) if (chosen[g] === 1 && !isFixed(g) && !isNeeded(g)) put(g, 0);
  let work = SWAP_WORK;
  for (const g of dearestFirst) {
    if (chosen[g] === 0 || isFixed(g) || work <= 0) continue;
    put(g, 0);
    // From the cheapest on: the first that does what the dearer one did.
    for (let i = dearestFirst.length - 1; i >= 0; i--) {
      const h = dearestFirst[i] as number;
      if (cost(h) >= cost(g)) break;
      if (
        chosen[h] === 1 ||
        isFixed(h) ||
        (to[h] as number) <= (from[g] as number) ||
        (from[h] as number) >= (to[g] as number)
      )
        continue;
      work--;
      put(h, 1);
      if (curve.max(from[g] as number, to[g] as number) <= 0) break;
      put(h, 0);
    }
    if (curve.max(from[g] as number, to[g] as number) > 0) put(g, 1);
  }
  for (const g of dearestFirst) if (chosen[g] === 1 && !isFixed(g) && !isNeeded(g)) put(g, 0);
  markPairs(problem, chosen);
  return { chosen, copyMs: copyMsOf(problem, machine, chosen), price: cover.price };
}

/** Gaps that are looked at as cheaper ones. */
const SWAP_WORK = 20_000;

/** Each version leaves once and comes back after each of its gaps. */
export function copyMsOf({ gaps, flat }: Problem, machine: Machine, chosen: Uint8Array): number {
  const leaves = new Uint8Array(gaps.count);
  let [outBytes, inBytes] = [0, 0];
  for (let g = 0; g < gaps.count; g++) {
    const before = gaps.previous[g] as number;
    const isOut = (gaps.from[g] as number) < 0 || (before >= 0 && leaves[before] === 1);
    if (chosen[g] === 1 && !isOut) outBytes += gaps.bytes[g] as number;
    if (chosen[g] === 1 && gaps.to[g] !== flat.kernelCount) inBytes += gaps.bytes[g] as number;
    leaves[g] = chosen[g] === 1 || isOut ? 1 : 0;
  }
  return outBytes / (machine.offloadGBps * 1e6) + inBytes / (machine.prefetchGBps * 1e6);
}
