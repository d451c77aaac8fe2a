/**
 * Lower bounds on the step time of every schedule that the execution model allows, whatever a planner does. The gap between a
 * plan and its bound is what is left to doubt.
 *
 * Note [Lower bound]
 * ~~~~~~~~~~~~~~~~~~
 * Let slot m be the time between the end of the first run of kernel m-1 and the start of that of kernel m: there the compute lane
 * waits or recomputes. The step takes at least C = sum of all kernels' ms plus the slots. Write S_k, E_k for start and end of
 * kernel k's first run, T(i, j) for the ms of kernels strictly between i and j, Bo and Bi for the link's rates, M for the budget.
 *
 * Fix a kernel k. What a later kernel reads of what an earlier one wrote is live: L[k] bytes together with what k itself needs.
 * At S_k at most M bytes are on the device, so of the live tensors that k does not use, at least D = L[k] - M bytes are not
 * there. Each of them is either *copied* or *dropped* at that moment:
 *  - copied: a copy out started at or after E_a of the kernel a that wrote it and ended by S_k (memory is granted to k only once
 *    released), and a copy in starts at or after E_k (a copy in listed before k has been granted memory before k; one listed
 *    after k starts after it) and ends by S_v of its next reader v;
 *  - dropped: kernel a runs once more between E_k and S_v. That costs the slots a.ms, whatever else it needs; where a kernel has
 *    several outputs its ms are shared among them by bytes, so shares never exceed the true cost.
 *
 * Out (no recompute). Those of the D bytes that were written by kernels >= j are at least N = D - X bytes, X being what is live at k
 * and older than j. They pass the out lane between E_j and S_k, so slots j+1..k hold at least N / Bo - T(j, k).
 * In. Those with v <= j are at least N = D - Y bytes, Y being what is live at k with v > j. Say x of them are dropped: the slots
 * k+1..j hold at least F(x), the cost of dropping the cheapest x bytes, divisible at will; and the others pass the in lane, so
 * the slots hold at least (N - x) / Bi - T(k, j). So they hold at least min over x of the larger one. F is convex, so the
 * minimum is where the two cross. Without recompute x = 0.
 * Both. With recompute, at least N = D - (live bytes older than i or with v > j) bytes are written at or after i and read at or before
 * j, and of those x are dropped: slots i+1..j hold at least the sum of (N - x) / Bo - T(i, k) and the larger one above; again
 * the minimum over x, of a convex function.
 * Spill. The host holds at most H bytes at S_k, so D - H of the bytes not on the device are in spill or dropped; the same
 * arguments hold with the spill lanes' rates, but as a copy up may start while k runs, k.ms counts as time that it had.
 * Where k is granted no memory, a copy in listed before it may start while it runs, and k.ms counts likewise.
 * D, and without recompute N, may be rounded up to the next sum that the sizes of the tensors concerned can make.
 *
 * Chains. A writer's input z that is dead at k (used for the last time before the gap) has to be there when the writer runs again.
 * Either z is on the device at S_k; or it is copied, before or after, and comes in after S_k; or it is built after S_k, from its own
 * inputs in turn. Where z is written once, read by that writer alone, and no smaller than all that the writer writes, z on the
 * device takes as many bytes at k as dropping won: leave such tensors out and D bytes are still not there. Copying z passes the lanes
 * with as many bytes, in the same time or from an earlier writer on, so it counts as copying. What is left is building, which
 * costs the whole chain: F takes a.ms plus that of the writers of such inputs (drop-rates.ts). No other tensor is built from z, so
 * nobody else is charged for it.
 * Sum. Where copies block, or there are none, a slot holds the ms of all its copies and re-runs, and slots simply add up. Let y[g] be 1
 * for a gap whose tensor is not there in some kernel of it: it comes in, or is built, within the gap, at c[g] ms or more per byte
 * (the copy out of a version charged to one of its gaps). For every k the bytes of gaps with y = 1 make up D[k]. So the step takes at
 * least C plus the cheapest fractional cover, which any prices p >= 0 bound from below (cover.ts): sum of p[k] D[k], less what gaps
 * earn that are worth more at those prices than they cost.
 *
 * An input is on the device at the start: its copy out may start there. State may have left before, and what the caller gets or has
 * given need not be there at the end of k: these (the latter two after their last use, as an input may be read again by what runs
 * again) and what is overwritten before it is read are not counted at all. Ranges of slots that do not overlap add
 * up: the best set of ranges is found by weighted interval scheduling, one pass over the slots. QED
 */
import { existsBefore } from "../../graph/lifetimes.ts";
import { bucketed } from "../buckets.ts";
import { canMove, type Machine } from "../policy.ts";
import { gapIntervals, worstOfEach, worstOnly } from "./copy-costs.ts";
import { cheapestCover } from "./cover.ts";
import { DropCosts } from "./drop-costs.ts";
import { dropRates } from "./drop-rates.ts";
import type { Problem } from "./gaps.ts";
import { SubsetSums } from "./subset-sum.ts";

/** Kernels times kernels that one call looks at. Fewer kernels k give a weaker bound, never a wrong one. */
const PAIR_BUDGET = 1e5;

/** Without a link, ms per byte that make every copy longer than any step. */
const NO_LINK = 1e3;

/** Ends j that are tried for each k where copies out and in are looked at together. */
const BOTH_POINTS = 6;

export interface BoundOptions {
  readonly recompute: boolean;
}

/** @returns ms; at least the oracle */
export function lowerBoundMs(problem: Problem, machine: Machine, { recompute }: BoundOptions): number {
  const { gaps, flat, keptBytes, restMs, oracleMs } = problem;
  const n = flat.kernelCount;
  const moves = canMove(machine);
  if (!moves && !recompute) return oracleMs;
  const free = freeBytes(problem);
  const excess = Float64Array.from(keptBytes, (bytes, k) => bytes - machine.deviceBytes - (free[k] as number));
  const kernels = chooseKernels(excess);
  const allocates = newBytes(problem);
  const outRate = moves ? msPerByte(machine.offloadGBps) : 0;
  const inRate = moves ? msPerByte(machine.prefetchGBps) : NO_LINK;
  const [writeRate, readRate] = [msPerByte(machine.spillWriteGBps ?? 0), msPerByte(machine.spillReadGBps ?? 0)];
  const drops = recompute ? dropRates(problem) : null;
  const builtFrom = drops?.first ?? gaps.writer;
  const costs = new DropCosts(problem, drops?.rate ?? null);
  const sums = new SubsetSums();
  const nearestFirst = bucketed(gaps.to, n, 0).items;
  const youngestFirst = bucketed(builtFrom, n, 1).items.reverse();
  /** Gaps that are open at kernel k. */
  const inOrder = (order: Int32Array, k: number): number[] => {
    const live: number[] = [];
    for (let i = 0; i < order.length; i++) {
      const g = order[i] as number;
      if ((gaps.from[g] as number) < k && (gaps.to[g] as number) > k) live.push(g);
    }
    return live;
  };
  // best[m]: the most that slots 0..m are known to hold; slot m is before kernel m.
  const best = new Float64Array(n + 1);
  const before = (j: number): number => (j < 0 ? 0 : (best[j] as number));
  let at = 0;
  for (let k = 0; k < n; k++) {
    if (k > 0) raise(best, k, best[k - 1] as number);
    if (kernels[at] !== k) continue;
    at++;
    let live = inOrder(nearestFirst, k);
    let liveBytes = 0;
    sums.clear();
    for (let i = 0; i < live.length; i++) {
      const bytes = gaps.bytes[live[i] as number] as number;
      liveBytes += bytes;
      sums.add(bytes);
    }
    const need = sums.atLeast(excess[k] as number);
    // Not even with everything away: there is no schedule.
    if (!Number.isFinite(need)) return Number.POSITIVE_INFINITY;
    const spillNeed = moves ? (excess[k] as number) - machine.hostBytes : 0;
    const until = (j: number, from: number): number => (restMs[from] as number) - (restMs[j] as number);
    // Out: from the youngest writer back.
    const firsts = [-1];
    live = inOrder(youngestFirst, k);
    sums.clear();
    let [young, heaviest] = [0, 0];
    for (let i = 0; i < live.length; i++) {
      const g = live[i] as number;
      const j = builtFrom[g] as number;
      young += gaps.bytes[g] as number;
      if (!recompute) sums.add(gaps.bytes[g] as number);
      if (i + 1 < live.length && builtFrom[live[i + 1] as number] === j) continue;
      const older = liveBytes - young;
      const between = until(k, j + 1);
      if (recompute) {
        const weight = (need - older) * outRate - between;
        if (weight > heaviest) [heaviest, firsts[1]] = [weight, j];
        continue;
      }
      raise(best, k, before(j) + sums.atLeast(need - older) * outRate - between);
      if (spillNeed > older) raise(best, k, before(j) + (spillNeed - older) * writeRate - between);
    }
    // In: from the nearest reader on.
    costs.clear();
    sums.clear();
    live = inOrder(nearestFirst, k);
    const inFrom = (allocates[k] as number) > 0 ? k + 1 : k;
    let [near, nextBoth] = [0, 0];
    for (let i = 0; i < live.length; i++) {
      const g = live[i] as number;
      const j = gaps.to[g] as number;
      near += gaps.bytes[g] as number;
      costs.add(g);
      if (!recompute) sums.add(gaps.bytes[g] as number);
      if (i + 1 < live.length && gaps.to[live[i + 1] as number] === j) continue;
      const later = liveBytes - near;
      const copied = recompute ? need - later : sums.atLeast(need - later);
      raise(best, j, before(k) + costs.crossing(copied, inRate, until(j, inFrom)));
      if (spillNeed > later) raise(best, j, before(k) + costs.crossing(spillNeed - later, readRate, until(j, k)));
      if (!recompute || !moves || (i + 1 < live.length && i < nextBoth)) continue;
      nextBoth = i + Math.ceil(live.length / BOTH_POINTS);
      for (const first of firsts) {
        let outside = later;
        for (let h = 0; h <= i; h++) {
          if ((builtFrom[live[h] as number] as number) < first) outside += gaps.bytes[live[h] as number] as number;
        }
        const out = until(k, first + 1);
        const known = (best[j] as number) - before(first);
        raise(best, j, before(first) + costs.sum(need - outside, outRate, out, inRate, until(j, inFrom), known));
        if (spillNeed <= outside) continue;
        raise(best, j, before(first) + costs.sum(spillNeed - outside, writeRate, out, readRate, until(j, k), known));
      }
    }
  }
  let slots = 0;
  for (const ms of best) slots = Math.max(slots, ms);
  return oracleMs + Math.max(slots, sumBound(problem, machine, excess, recompute));
}

/** Where copies take the time of the computing thread, or there are none, slots add up over all kernels: Sum, in the note. */
function sumBound(problem: Problem, machine: Machine, excess: Float64Array, recompute: boolean): number {
  if (machine.copiesBlock !== true && canMove(machine)) return 0;
  const intervals = gapIntervals(problem, machine, recompute ? dropRates(problem, machine).rate : null);
  return cheapestCover(worstOnly(excess, problem.gaps.count), intervals)?.boundMs ?? Number.POSITIVE_INFINITY;
}

/** Bytes that kernel k does not use and that may be gone for nothing: see the end of the note. */
function freeBytes({ graph, flat, freeBytes: overwritten }: Problem): Float64Array {
  const n = flat.kernelCount;
  const bytes = Float64Array.from(overwritten);
  const used = new Float64Array(n);
  const lastUse = new Int32Array(flat.tensorCount).fill(-1);
  graph.kernels.forEach(({ inputs, outputs }, k) => {
    for (const t of new Set([...inputs, ...outputs])) {
      const { role, bytes: size = 0 } = graph.tensors[t] ?? {};
      lastUse[t] = k;
      if (role === "state") used[k]! += size;
    }
  });
  const ended = new Float64Array(n + 1);
  let state = 0;
  graph.tensors.forEach(({ role, bytes: size }, t) => {
    if (role === "state") state += size;
    const end = (lastUse[t] as number) + 1;
    if ((role === "output" || role === "input") && end > 0) ended[end]! += size;
  });
  for (let k = 0, gone = 0; k < n; k++) {
    gone += ended[k] as number;
    bytes[k] = (bytes[k] as number) + gone + state - (used[k] as number);
  }
  return bytes;
}

/** Bytes that kernel k is granted in every schedule. */
function newBytes({ graph, flat }: Problem): Float64Array {
  const bytes = Float64Array.from(flat.workspaceBytes);
  const isThere = Uint8Array.from(graph.tensors, ({ role }) => (existsBefore(role) ? 1 : 0));
  graph.kernels.forEach(({ outputs }, k) => {
    for (const t of outputs) {
      if (isThere[t] === 0) bytes[k] = (bytes[k] as number) + (graph.tensors[t]?.bytes ?? 0);
      isThere[t] = 1;
    }
  });
  return bytes;
}

/** All kernels with too many bytes, or of each stretch of kernels the worst. */
function chooseKernels(excess: Float64Array): number[] {
  const n = excess.length;
  const count = Math.max(64, Math.floor(PAIR_BUDGET / n));
  const stride = Math.max(1, Math.ceil(n / count));
  return worstOfEach(excess, stride).filter((k) => (excess[k] as number) > 0);
}

function raise(best: Float64Array, m: number, ms: number): void {
  if (ms > (best[m] as number)) best[m] = ms;
}

function msPerByte(gigabytesPerSecond: number): number {
  return gigabytesPerSecond > 0 ? 1 / (gigabytesPerSecond * 1e6) : 0;
}
