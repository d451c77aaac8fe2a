/**
 * Which of the chosen gaps go to the host and which on to spill: Belady's rule again, one tier further down. The gap whose
 * tensor is needed last leaves the host, as its copies through the slow lane have most time.
 */
import { KEEP, TO_HOST, TO_SPILL } from "./layout.ts";
import type { Problem } from "./gaps.ts";
import { Heap } from "./heap.ts";

/**
 * @param chosen 1 for gaps that are used
 * @param hostBytes what the host may hold; some of it should be left for what passes through
 * @param keys the smaller, the earlier a gap leaves the host
 * @returns KEEP, TO_HOST or TO_SPILL for each gap, or null when even that does not fit
 */
export function assignTiers(
  problem: Problem,
  chosen: Uint8Array,
  hostBytes: number,
  keys: Float64Array,
): Uint8Array | null {
  const { gaps, flat, opening } = problem;
  const n = flat.kernelCount;
  const choice = new Uint8Array(gaps.count);
  const next = new Int32Array(gaps.count).fill(-1);
  for (let g = gaps.count - 1; g >= 0; g--) {
    const after = gaps.next[g] as number;
    if (after >= 0) next[g] = chosen[after] === 1 ? after : (next[after] as number);
    if (chosen[g] === 1) choice[g] = TO_HOST;
  }
  const until = (g: number): number =>
    (next[g] as number) < 0 ? (gaps.to[g] as number) : (gaps.from[next[g] as number] as number) + 1;
  const leaving = new Float64Array(n + 2);
  const open = new Heap(keys);
  let held = 0;
  for (let k = 0; k < n; k++) {
    held -= leaving[k] as number;
    for (let g = k > 0 ? (opening[k - 1] as number) : 0; g < (opening[k] as number); g++) {
      if (choice[g] !== TO_HOST) continue;
      held += gaps.bytes[g] as number;
      leaving[until(g)]! += gaps.bytes[g] as number;
      // State crosses from one iteration to the next on the host.
      if ((gaps.from[g] as number) >= 0 && gaps.to[g] !== n) open.push(g);
    }
    while (held > hostBytes) {
      while (open.size > 0 && (until(open.top) <= k || choice[open.top] !== TO_HOST)) open.pop();
      if (open.size === 0) return null;
      const g = open.pop();
      held -= gaps.bytes[g] as number;
      leaving[until(g)]! -= gaps.bytes[g] as number;
      // What is in spill once stays there: later gaps of the version need no copy at all.
      for (let h = g; h >= 0; h = next[h] as number) choice[h] = TO_SPILL;
    }
  }
  for (let g = 0; g < gaps.count; g++) if (chosen[g] !== 1) choice[g] = KEEP;
  return choice;
}
