/**
 * Which gaps to use so that the bytes fit, time aside: Belady's rule for caches. Walk the kernels; where too much is on the
 * device, take out the open gap that is worth most. Then give back what turned out not to be needed, the shortest first.
 */
import { bucketed } from "../buckets.ts";
import { Curve } from "./curve.ts";
import { fillDeviceBytes, isPaired, markPairs, type Problem } from "./gaps.ts";
import { Heap } from "./heap.ts";

/** Which open gap is worth most. `farthest`: its next use is last; `area`: most bytes times kernels; … */
export type Rule = "farthest" | "area" | "largest" | "longest";

export const RULES: readonly Rule[] = ["farthest", "area", "longest", "largest"];

/** Keys for the sweep: the smaller, the earlier it is taken. */
export function keysOf({ gaps, restMs }: Problem, rule: Rule): Float64Array {
  const keys = new Float64Array(gaps.count);
  for (let g = 0; g < gaps.count; g++) {
    const from = gaps.from[g] as number;
    const to = gaps.to[g] as number;
    const bytes = gaps.bytes[g] as number;
    const ms = (restMs[from] as number) - (restMs[to] as number);
    keys[g] = rule === "farthest" ? -to : rule === "area" ? -bytes * ms : rule === "largest" ? -bytes : -ms;
  }
  return keys;
}

/** Scratch space of the sweeps over one problem. */
export class Sweep {
  readonly #problem: Problem;
  readonly #curve: Curve;
  readonly #back: Float64Array;
  readonly #diff: Float64Array;

  constructor(problem: Problem) {
    this.#problem = problem;
    this.#curve = new Curve(problem.flat.kernelCount);
    this.#back = new Float64Array(problem.flat.kernelCount + 1);
    this.#diff = new Float64Array(problem.flat.kernelCount + 1);
  }

  /**
   * Extends `chosen` until every kernel has its bytes.
   *
   * @param budgets device bytes at each kernel that gaps should be closed for; missed where that cannot be
   * @param hard device bytes that must not be exceeded
   * @param chosen 1 for gaps that are used already; extended in place
   * @param banned 1 for gaps that must not be used unless nothing else is left
   * @returns bytes by which the worst kernel exceeds `hard`; 0 when it fits
   */
  run(keys: Float64Array, budgets: Float64Array, hard: number, chosen: Uint8Array, banned?: Uint8Array): number {
    const { gaps, keptBytes, opening, flat } = this.#problem;
    const n = flat.kernelCount;
    const back = this.#back.fill(0);
    const [open, reserve] = [new Heap(keys), new Heap(keys)];
    let away = 0;
    let worst = 0;
    const take = (g: number): void => {
      chosen[g] = 1;
      away += gaps.bytes[g] as number;
      const to = gaps.to[g] as number;
      back[to]! += gaps.bytes[g] as number;
    };
    for (let k = 0; k < n; k++) {
      away -= back[k] as number;
      for (let g = k > 0 ? (opening[k - 1] as number) : 0; g < (opening[k] as number); g++) {
        if (chosen[g] === 1) take(g);
        else if (banned?.[g] === 1) reserve.push(g);
        else open.push(g);
      }
      const kept = keptBytes[k] as number;
      while (kept - away > (budgets[k] as number)) {
        while (open.size > 0 && (gaps.to[open.top] as number) <= k) open.pop();
        if (open.size > 0) {
          take(open.pop());
          continue;
        }
        if (kept - away <= hard) break;
        while (reserve.size > 0 && (gaps.to[reserve.top] as number) <= k) reserve.pop();
        if (reserve.size === 0) break;
        take(reserve.pop());
      }
      if (kept - away - hard > worst) worst = kept - away - hard;
    }
    markPairs(this.#problem, chosen);
    return worst;
  }

  /** Gives back chosen gaps that the budgets do not need, in this order. `fixed` ones stay. */
  prune(order: Int32Array, budgets: Float64Array, chosen: Uint8Array, fixed?: Uint8Array): void {
    const { gaps, flat } = this.#problem;
    const over = this.plannedBytes(chosen);
    for (let k = 0; k < flat.kernelCount; k++) over[k]! -= budgets[k] as number;
    this.#curve.reset(over.subarray(0, flat.kernelCount));
    for (const g of order) {
      if (chosen[g] !== 1 || fixed?.[g] === 1 || isPaired(this.#problem, g)) continue;
      const from = (gaps.from[g] as number) + 1;
      const to = gaps.to[g] as number;
      const bytes = gaps.bytes[g] as number;
      if (this.#curve.max(from, to) + bytes > 0) continue;
      chosen[g] = 0;
      this.#curve.add(from, to, bytes);
    }
  }

  /** Device bytes at each kernel with the chosen gaps empty from end to end. Valid until the next call. */
  plannedBytes(chosen: Uint8Array): Float64Array {
    fillDeviceBytes(this.#problem, chosen, this.#diff);
    return this.#diff;
  }
}

/** The gaps in order of their length in kernels, the shortest first. */
export function shortestFirst({ gaps, flat }: Problem): Int32Array {
  const length = gaps.to.map((to, g) => to - (gaps.from[g] as number));
  return bucketed(length, flat.kernelCount + 1, 0).items;
}
