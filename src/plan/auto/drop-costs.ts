/**
 * F of Note [Lower bound] (bounds.ts): the least time that dropping x bytes and building them again can cost, over the tensors
 * told so far, and the minima over x that the bounds need. A Fenwick tree over the tensors in order of their cost per byte.
 */
import type { Problem } from "./gaps.ts";

/** Times that a range is cut to two thirds: to a few millionths. */
const THIRDS = 32;

/** Invariant: node i sums the tensors of the ranks (i - lowest bit of i, i]. */
export class DropCosts {
  readonly #problem: Problem;
  readonly #rank: Int32Array;
  readonly #ratio: Float64Array;
  readonly #bytes: Float64Array;
  readonly #ms: Float64Array;
  readonly #top: number;

  /** @param rates ms per byte for each gap; null where nothing may be dropped */
  constructor(problem: Problem, rates: Float64Array | null) {
    const { gaps } = problem;
    this.#problem = problem;
    const ratio = rates ?? new Float64Array(gaps.count).fill(Number.POSITIVE_INFINITY);
    const order = Int32Array.from(gaps.writer.keys())
      .filter((g) => Number.isFinite(ratio[g]))
      .sort((a, b) => (ratio[a] as number) - (ratio[b] as number) || a - b);
    this.#rank = new Int32Array(gaps.count).fill(-1);
    order.forEach((g, i) => (this.#rank[g] = i + 1));
    this.#ratio = Float64Array.from([0, ...Array.from(order, (g) => ratio[g] as number)]);
    this.#bytes = new Float64Array(order.length + 1);
    this.#ms = new Float64Array(order.length + 1);
    let top = 1;
    while (top * 2 <= order.length) top *= 2;
    this.#top = order.length === 0 ? 0 : top;
  }

  clear(): void {
    this.#bytes.fill(0);
    this.#ms.fill(0);
  }

  add(g: number): void {
    const rank = this.#rank[g] as number;
    if (rank < 0) return;
    const bytes = this.#problem.gaps.bytes[g] as number;
    const ms = bytes * (this.#ratio[rank] as number);
    for (let i = rank; i < this.#bytes.length; i += i & -i) {
      this.#bytes[i]! += bytes;
      this.#ms[i]! += ms;
    }
  }

  /** min over x of max(F(x), (need - x) * rate - free), not below 0. */
  crossing(need: number, rate: number, free: number): number {
    if (need * rate <= free) return 0;
    let [at, x, cost] = [0, 0, 0];
    for (let step = this.#top; step > 0; step >>= 1) {
      const next = at + step;
      if (next >= this.#bytes.length) continue;
      const [bytes, ms] = [x + (this.#bytes[next] as number), cost + (this.#ms[next] as number)];
      if (ms > (need - bytes) * rate - free) continue;
      [at, x, cost] = [next, bytes, ms];
    }
    const copying = (need - x) * rate - free;
    const ratio = this.#ratio[at + 1];
    // All that may be dropped is dropped, and copies still take longer.
    if (ratio === undefined) return copying;
    // Within the next one: cost + y * ratio = copying - y * rate.
    return cost + ((copying - cost) / (ratio + rate)) * ratio;
  }

  /**
   * min over x of max(0, (need - x) * outRate - outFree) + max(F(x), (need - x) * inRate - inFree, 0).
   *
   * @param atLeast a minimum that is no more than this is of no interest, and told as 0
   */
  sum(need: number, outRate: number, outFree: number, inRate: number, inFree: number, atLeast: number): number {
    if (need <= 0) return 0;
    // With nothing dropped it costs this, so the minimum is no more.
    if (Math.max(0, need * outRate - outFree) + Math.max(0, need * inRate - inFree) <= atLeast) return 0;
    const value = (x: number): number =>
      Math.max(0, (need - x) * outRate - outFree) + Math.max(this.#cost(x), (need - x) * inRate - inFree, 0);
    let [low, high] = [0, Math.min(need, this.#total())];
    for (let i = 0; i < THIRDS; i++) {
      const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
      if (value(a) <= value(b)) high = b;
      else low = a;
    }
    // The minimum lies between: from `low` on, no more than both lanes' rates can be won.
    return Math.max(0, value(low) - (high - low) * (outRate + inRate));
  }

  #total(): number {
    let bytes = 0;
    for (let i = this.#bytes.length - 1; i > 0; i -= i & -i) bytes += this.#bytes[i] as number;
    return bytes;
  }

  /** F(x). */
  #cost(x: number): number {
    let [at, bytes, cost] = [0, 0, 0];
    for (let step = this.#top; step > 0; step >>= 1) {
      const next = at + step;
      if (next >= this.#bytes.length || bytes + (this.#bytes[next] as number) > x) continue;
      at = next;
      bytes += this.#bytes[next] as number;
      cost += this.#ms[next] as number;
    }
    return cost + Math.max(0, x - bytes) * (this.#ratio[at + 1] ?? 0);
  }
}
