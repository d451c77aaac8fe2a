/**
 * Copies from spill to the host ahead of their use: while the lane has time and the host has room, but never at the cost of what has
 * to pass through the host on its way to spill.
 */
import { type Execution, ON_HOST, ON_SPILL } from "../execution.ts";
import type { Machine } from "../policy.ts";
import type { Problem } from "./gaps.ts";
import { Heap } from "./heap.ts";
import { AWAY, BACK, type Layout } from "./layout.ts";
import { PROMOTE, SPILL, type StepList } from "./step-list.ts";

/** Invariant: `#reads` holds every gap whose tensor is in spill alone and is to come back. */
export class Promotions {
  /** How many are still to pass through the host to spill. */
  toPass = 0;
  readonly #problem: Problem;
  readonly #machine: Machine;
  readonly #layout: Layout;
  readonly #list: StepList;
  #execution: Execution | null = null;
  #reads: Heap = new Heap(new Float64Array(0));
  /** Promoted gaps, the last on top: the first to give up their place on the host again. */
  readonly #promoted: number[] = [];

  constructor(problem: Problem, machine: Machine, layout: Layout, list: StepList) {
    this.#problem = problem;
    this.#machine = machine;
    this.#layout = layout;
    this.#list = list;
  }

  /** @param order of copies in: the smaller, the earlier */
  begin(execution: Execution, order: Float64Array): void {
    this.#execution = execution;
    this.#reads = new Heap(order);
    this.#promoted.length = 0;
    this.toPass = this.#layout.toPass;
  }

  get size(): number {
    return this.#reads.size;
  }

  push(g: number): void {
    this.#reads.push(g);
  }

  /** Brings to the host what is next, where its copy starts before `end`. */
  promote(k: number, end: number): void {
    const { gaps } = this.#problem;
    const { hostCurve, stage } = this.#layout;
    const execution = this.#execution as Execution;
    const reads = this.#reads;
    while (reads.size > 0 && execution.readMs < end) {
      const g = reads.top;
      const t = gaps.tensor[g] as number;
      const until = this.#layout.heldUntil(g);
      const bytes = gaps.bytes[g] as number;
      if (stage[g] === BACK || ((execution.where[t] as number) & ON_HOST) !== 0) {
        reads.pop();
        continue;
      }
      if (hostCurve !== null && hostCurve.max(k, until) + bytes > this.#hostRoom()) return;
      if (execution.host.peek(bytes) > end) return;
      reads.pop();
      hostCurve?.add(k, until, bytes);
      execution.prefetch(t, "host", false);
      this.#list.add(PROMOTE, t);
      this.#promoted.push(g);
    }
  }

  /** Makes sure that so many bytes may pass through the host, at the cost of what was promoted for the most distant use. */
  makePassage(bytes: number, k: number): void {
    const { gaps } = this.#problem;
    const execution = this.#execution as Execution;
    const { host, where } = execution;
    while (host.settledBytes + bytes > host.budgetBytes && this.#promoted.length > 0) {
      const g = this.#promoted.pop() as number;
      const t = gaps.tensor[g] as number;
      const isThere = ((where[t] as number) & (ON_HOST | ON_SPILL)) === (ON_HOST | ON_SPILL);
      if (this.#layout.stage[g] !== AWAY || !isThere) continue;
      execution.offload(t, "spill", false);
      this.#list.add(SPILL, t);
      this.#layout.hostCurve?.add(k, this.#layout.heldUntil(g), -(gaps.bytes[g] as number));
      this.#reads.push(g);
    }
  }

  /** What promotions may fill of the host: some stays for what is still to pass through. */
  #hostRoom(): number {
    return this.#machine.hostBytes - (this.toPass > 0 ? this.#layout.passing : 0);
  }
}
