/**
 * From a point of the search space to its step time: sweep, tiers, decode. A point says how the sweep differs from plain Belady
 * and in which order copies go; everything else follows.
 */
import type { PlanStep } from "../plan.ts";
import type { Machine } from "../policy.ts";
import { type Decoded, Decoder, INFEASIBLE } from "./decode.ts";
import type { Problem } from "./gaps.ts";
import { keysOf, type Rule, shortestFirst, Sweep } from "./sweep.ts";
import { assignTiers } from "./tiers.ts";

export interface Point {
  readonly rule: Rule;
  /** Gaps that are used, or not used unless nothing else helps. */
  readonly forced: Uint8Array;
  readonly banned: Uint8Array;
  /** Device bytes that the sweep aims at for each kernel. */
  readonly budgets: Float64Array;
  /** Order of copies in and out. */
  readonly in: Float64Array;
  readonly out: Float64Array;
  readonly due: Int32Array;
  readonly hold: Int32Array;
  readonly lookAhead: number;
  /** Share of the host that is not filled from the device, for what passes through to spill and back. */
  readonly hostReserve: number;
}

/** Scratch space of a search over one problem and machine. */
export class Search {
  readonly problem: Problem;
  readonly machine: Machine;
  readonly decoder: Decoder;
  readonly #sweep: Sweep;
  readonly #order: Int32Array;
  readonly #keys: Map<Rule, Float64Array> = new Map();
  /** Gaps that the last evaluation has used. */
  readonly chosen: Uint8Array;
  /** Bytes by which the last evaluation's worst kernel exceeds the budget. */
  worstBytes = 0;

  constructor(problem: Problem, machine: Machine) {
    this.problem = problem;
    this.machine = machine;
    this.decoder = new Decoder(problem, machine);
    this.#sweep = new Sweep(problem);
    this.#order = shortestFirst(problem);
    this.chosen = new Uint8Array(problem.gaps.count);
  }

  /** @param headroom share of the budget that the sweep leaves free */
  start(rule: Rule, headroom: number): Point {
    const { gaps, flat } = this.problem;
    return {
      rule,
      forced: new Uint8Array(gaps.count),
      banned: new Uint8Array(gaps.count),
      budgets: new Float64Array(flat.kernelCount).fill(this.machine.deviceBytes * (1 - headroom)),
      in: Float64Array.from(gaps.to),
      out: Float64Array.from(gaps.from),
      due: gaps.to,
      hold: new Int32Array(gaps.count),
      lookAhead: 0,
      hostReserve: 0.05,
    };
  }

  evaluate(point: Point, limitMs: number = Number.POSITIVE_INFINITY): Decoded {
    const { chosen, machine } = this;
    chosen.set(point.forced);
    this.worstBytes = this.#sweep.run(
      this.#keysOf(point.rule),
      point.budgets,
      machine.deviceBytes,
      chosen,
      point.banned,
    );
    if (this.worstBytes > 0) return INFEASIBLE;
    this.#sweep.prune(this.#order, point.budgets, chosen, point.forced);
    const choice = this.#tiers(point);
    return choice === null ? INFEASIBLE : this.decoder.run(choice, point, limitMs);
  }

  /** Steps of the last evaluation. */
  steps(): PlanStep[] {
    return this.decoder.steps();
  }

  #tiers(point: Point): Uint8Array | null {
    const { hostBytes, spillBytes = 0 } = this.machine;
    if (!Number.isFinite(hostBytes)) return this.chosen;
    const all = assignTiers(this.problem, this.chosen, hostBytes, this.#keysOf("farthest"));
    if (spillBytes <= 0 || (all !== null && !all.includes(2))) return all?.includes(2) === true ? null : all;
    let largest = 0;
    for (let g = 0; g < this.chosen.length; g++) {
      if (this.chosen[g] === 1) largest = Math.max(largest, this.problem.gaps.bytes[g] as number);
    }
    const reserved = Math.min(hostBytes * (1 - point.hostReserve), hostBytes - largest);
    return assignTiers(this.problem, this.chosen, reserved, this.#keysOf("farthest")) ?? all;
  }

  #keysOf(rule: Rule): Float64Array {
    let keys = this.#keys.get(rule);
    if (keys === undefined) this.#keys.set(rule, (keys = keysOf(this.problem, rule)));
    return keys;
  }
}
