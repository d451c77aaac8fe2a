/**
 * From chosen gaps to a list of steps: walks the kernels with the execution model at hand and puts every copy where its lane is
 * about to run dry. Which gaps are used is decided elsewhere; here it is decided when.
 *
 * Between kernels k-1 and k the list gets, in this order: copies out, promotions from spill, copies in, then kernel k.
 * - A copy out is issued once its writer has run and the lane has time for it before kernel k ends; at the latest when the
 *   budget needs the bytes.
 * - A copy in is issued when the lane has time, when there is room for it from here to its use (so that no later kernel lacks the
 *   bytes) and when it does not make kernel k wait for memory; at the latest right before its use.
 */
import { Execution, ON_HOST, ON_SPILL } from "../execution.ts";
import type { Lists } from "../flat.ts";
import type { PlanStep } from "../plan.ts";
import type { Machine } from "../policy.ts";
import { bucketed } from "../buckets.ts";
import type { Problem } from "./gaps.ts";
import { Heap } from "./heap.ts";
import { AHEAD, AWAY, BACK, KEEP, Layout, PENDING, TO_HOST, TO_SPILL } from "./layout.ts";
import { Promotions } from "./promotions.ts";
import { COMPUTE, FREE, OFFLOAD, OFFLOAD_KEEP, PREFETCH, SPILL, SPILL_KEEP, StepList } from "./step-list.ts";

export interface Order {
  /** Copies in: the smaller, the earlier. */
  readonly in: Float64Array;
  /** Copies out. */
  readonly out: Float64Array;
  /** Kernel from which a copy in is issued even if kernels have to wait for its memory; by default the gap's end. */
  readonly due: Int32Array;
  /** Kernel before which it is not issued; by default 0. */
  readonly hold: Int32Array;
  /** Copies in that may be tried when the first has no room yet. */
  readonly lookAhead: number;
}

export interface Decoded {
  readonly stepMs: number;
  readonly stallMs: number;
  readonly fits: boolean;
}

export const INFEASIBLE: Decoded = { stepMs: Number.POSITIVE_INFINITY, stallMs: 0, fits: false };

/** Scratch space of the decodings of one problem on one machine, and the steps of the last one. */
export class Decoder {
  readonly #problem: Problem;
  readonly #machine: Machine;
  readonly #layout: Layout;
  readonly #promotions: Promotions;
  readonly #byWriter: Lists;
  readonly #byTo: Lists;
  readonly #list: StepList = new StepList();
  #execution: Execution;
  #choice: Uint8Array = new Uint8Array(0);
  /** Time that the last run waited before each kernel. */
  readonly stalls: Float64Array;
  /** Where bytes too many made it wait: at the kernel itself for memory, or where the lane in was last idle for an input. */
  readonly blame: Int32Array;
  /** Kernel before which the lane in was last idle. */
  #inBusySince = 0;

  constructor(problem: Problem, machine: Machine) {
    const { gaps, flat } = problem;
    this.#problem = problem;
    this.#machine = machine;
    this.#layout = new Layout(problem, Number.isFinite(machine.hostBytes));
    this.#promotions = new Promotions(problem, machine, this.#layout, this.#list);
    this.#byWriter = bucketed(gaps.writer, flat.kernelCount, 1);
    this.#byTo = bucketed(gaps.to, flat.kernelCount, 0);
    this.#execution = new Execution(flat, machine);
    this.stalls = new Float64Array(flat.kernelCount);
    this.blame = new Int32Array(flat.kernelCount);
  }

  /**
   * @param choice KEEP, TO_HOST or TO_SPILL for each gap; must fit the dry run
   * @param limitMs gives up when the step cannot be faster than this
   */
  run(choice: Uint8Array, order: Order, limitMs: number = Number.POSITIVE_INFINITY): Decoded {
    const { gaps, flat, dying, opening, restMs, graph } = this.#problem;
    const execution = new Execution(flat, this.#machine);
    this.#execution = execution;
    this.#choice = choice;
    this.#list.clear();
    const layout = this.#layout;
    layout.reset(choice);
    for (let t = 0; t < flat.tensorCount; t++) {
      const role = graph.tensors[t]?.role;
      if (role === "weight" || role === "input" || (role === "state" && layout.isAwayAtStart[t] === 0)) {
        execution.begin(t, "device");
      }
    }
    const stage = layout.stage.fill(AHEAD);
    const promotions = this.#promotions;
    promotions.begin(execution, order.in);
    const outs = new Heap(order.out);
    const ins = new Heap(order.in);
    for (let g = 0; g < (opening[0] as number); g++) {
      if (choice[g] === KEEP) continue;
      execution.begin(gaps.tensor[g] as number, "host");
      stage[g] = AWAY;
      ins.push(g);
    }
    for (let k = 0; k < flat.kernelCount; k++) {
      if (execution.computeMs + (restMs[k] as number) >= limitMs) {
        return INFEASIBLE;
      }
      for (let i = this.#byWriter.start[k] as number; i < (this.#byWriter.start[k + 1] as number); i++) {
        const g = this.#byWriter.items[i] as number;
        if (choice[g] !== KEEP && layout.previous[g] === -1 && stage[g] !== AWAY) outs.push(g);
      }
      this.#copyOut(k, outs);
      if (promotions.size > 0) promotions.promote(k, this.#endOf(k));
      this.#fetchDue(k, order.in, outs);
      if (ins.size > 0) this.#fetchAhead(k, ins, outs, order);
      this.#makeRoom(execution.needBytes(k), outs);
      const waited = execution.stallMs;
      const inputsMs = execution.inputsMs(k);
      execution.compute(k);
      const isForInput = inputsMs >= execution.computeMs - (flat.ms[k] as number);
      this.blame[k] = isForInput ? this.#inBusySince : k;
      this.stalls[k] = execution.stallMs - waited;
      this.#list.add(COMPUTE, k);
      for (let i = dying.start[k] as number; i < (dying.start[k + 1] as number); i++) {
        this.#free(dying.items[i] as number);
      }
      for (let g = opening[k] as number; g < (opening[k + 1] as number); g++) {
        if (choice[g] === KEEP) continue;
        const t = gaps.tensor[g] as number;
        const held = (execution.where[t] as number) & (ON_HOST | ON_SPILL);
        if (gaps.to[g] !== flat.kernelCount) ins.push(g);
        if (held === 0) {
          stage[g] = PENDING;
          if (layout.previous[g] !== -1) outs.push(g);
        } else if ((choice[g] === TO_SPILL && held !== ON_SPILL) || gaps.to[g] === flat.kernelCount) {
          // In a tail an offload says that the copy is to stay, even where it moves no bytes.
          this.#offload(g, false);
        } else {
          this.#free(t);
          stage[g] = AWAY;
          if (choice[g] === TO_SPILL) promotions.push(g);
          if (choice[g] === TO_SPILL && layout.previous[g] !== -1) promotions.toPass--;
        }
      }
    }
    // What is left elsewhere at the end.
    for (
      let i = this.#byTo.start[flat.kernelCount] as number;
      i < (this.#byTo.start[flat.kernelCount + 1] as number);
      i++
    ) {
      const g = this.#byTo.items[i] as number;
      if (stage[g] === PENDING) this.#offload(g, false);
    }
    return { stepMs: execution.endMs, stallMs: execution.stallMs, fits: execution.fits };
  }

  /** The steps of the last run. */
  steps(): PlanStep[] {
    return this.#list.steps();
  }

  /** About when kernel k ends if nothing more is put before it. */
  #endOf(k: number): number {
    const execution = this.#execution;
    const room = execution.device.peek(execution.needBytes(k));
    const start = Math.max(execution.inputsMs(k), Number.isFinite(room) ? room : 0);
    return start + (this.#problem.flat.ms[k] as number);
  }

  #copyOut(k: number, outs: Heap): void {
    if (outs.size === 0) return;
    const { gaps } = this.#problem;
    const execution = this.#execution;
    const end = this.#endOf(k);
    while (outs.size > 0 && execution.outMs < end) {
      const g = outs.top;
      if (this.#layout.stage[g] === BACK) {
        outs.pop();
        continue;
      }
      const isEarly = this.#layout.stage[g] === AHEAD;
      if (isEarly && this.#layout.hostCurve !== null && this.#choice[g] === TO_HOST) {
        const until = (gaps.from[g] as number) + 1;
        const bytes = gaps.bytes[g] as number;
        if (this.#layout.hostCurve.max(k, until) + bytes > this.#machine.hostBytes) break;
        this.#layout.hostCurve.add(k, until, bytes);
      }
      outs.pop();
      this.#offload(g, isEarly);
    }
  }

  /** Issues copies out until the dry run has room for so many bytes more. */
  #makeRoom(bytes: number, outs: Heap): void {
    const { device } = this.#execution;
    if (device.settledBytes + bytes <= device.budgetBytes) return;
    const early: number[] = [];
    while (outs.size > 0 && device.settledBytes + bytes > device.budgetBytes) {
      const g = outs.pop();
      if (this.#layout.stage[g] === PENDING) this.#offload(g, false);
      else if (this.#layout.stage[g] === AHEAD) early.push(g);
    }
    for (const g of early) outs.push(g);
  }

  #offload(g: number, keep: boolean): void {
    const t = this.#problem.gaps.tensor[g] as number;
    const toSpill = this.#choice[g] === TO_SPILL;
    this.#execution.offload(t, toSpill ? "spill" : "host", keep);
    this.#list.add(toSpill ? (keep ? SPILL_KEEP : SPILL) : keep ? OFFLOAD_KEEP : OFFLOAD, t);
    if (!keep) this.#layout.stage[g] = AWAY;
    if (!keep && toSpill && this.#problem.gaps.to[g] !== this.#problem.flat.kernelCount) this.#promotions.push(g);
    if (toSpill) this.#promotions.toPass--;
  }

  #fetchDue(k: number, keys: Float64Array, outs: Heap): void {
    const { gaps } = this.#problem;
    const { start, items } = this.#byTo;
    const first = start[k] as number;
    const end = start[k + 1] as number;
    if (first === end) return;
    const due: number[] = [];
    for (let i = first; i < end; i++) {
      const g = items[i] as number;
      if (this.#choice[g] !== KEEP && this.#layout.stage[g] !== BACK) due.push(g);
    }
    if (due.length > 1) due.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
    for (const g of due) {
      if (this.#layout.stage[g] === AWAY) {
        const bytes = gaps.bytes[g] as number;
        this.#makeRoom(bytes, outs);
        const isOnHost = ((this.#execution.where[gaps.tensor[g] as number] as number) & ON_HOST) !== 0;
        if (!isOnHost) this.#promotions.makePassage(bytes, k);
        this.#fetch(g, k);
      }
      this.#layout.stage[g] = BACK;
    }
  }

  #fetchAhead(k: number, ins: Heap, outs: Heap, { due, hold, lookAhead }: Order): void {
    const { gaps } = this.#problem;
    const execution = this.#execution;
    const { curve, stage } = this.#layout;
    const budget = this.#machine.deviceBytes;
    const need = execution.needBytes(k);
    const start = Math.max(execution.inputsMs(k), execution.device.peek(need));
    const end = start + (this.#problem.flat.ms[k] as number);
    const passed: number[] = [];
    while (ins.size > 0) {
      const g = ins.top;
      const isDue = (due[g] as number) <= k;
      if (!isDue && execution.inMs >= end) break;
      if (stage[g] === BACK) {
        ins.pop();
        continue;
      }
      const t = gaps.tensor[g] as number;
      const bytes = gaps.bytes[g] as number;
      const to = gaps.to[g] as number;
      const hasRoom = (hold[g] as number) <= k && curve.max(k, to) + bytes <= budget;
      if (hasRoom && stage[g] === PENDING) {
        ins.pop();
        stage[g] = BACK;
        curve.add(k, to, bytes);
        continue;
      }
      const isNear = ((execution.where[t] as number) & ON_HOST) !== 0 && execution.hostReadyMs(t) < end;
      if (hasRoom && (isDue || (isNear && execution.device.peek(need + bytes) <= start))) {
        ins.pop();
        if (isDue) this.#makeRoom(bytes, outs);
        curve.add(k, to, bytes);
        this.#fetch(g, k);
        stage[g] = BACK;
        continue;
      }
      if (passed.length >= lookAhead) break;
      passed.push(ins.pop());
    }
    for (const g of passed) ins.push(g);
  }

  #fetch(g: number, k: number): void {
    const { gaps } = this.#problem;
    const t = gaps.tensor[g] as number;
    const isLast = this.#layout.next[g] === -1;
    const isOnHost = ((this.#execution.where[t] as number) & ON_HOST) !== 0;
    if (this.#execution.inMs < this.#execution.computeMs) this.#inBusySince = k;
    this.#execution.prefetch(t, "device", isLast);
    this.#list.add(PREFETCH, t);
    if (isLast && isOnHost) this.#layout.hostCurve?.add(k, gaps.to[g] as number, -(gaps.bytes[g] as number));
  }

  #free(t: number): void {
    this.#execution.free(t);
    this.#list.add(FREE, t);
  }
}
