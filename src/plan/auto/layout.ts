/**
 * A choice of gaps before it is given times: which gap of a version comes after which, and the bytes that device and host hold at
 * each kernel if every copy is issued as late as can be. The decoder adds to the curves what it issues earlier.
 */
import { Curve } from "./curve.ts";
import { fillDeviceBytes, type Problem } from "./gaps.ts";

/** What becomes of a gap. */
export const KEEP = 0;
export const TO_HOST = 1;
export const TO_SPILL = 2;

/** Stages of a chosen gap: before it, waiting for its copy out, empty, and over. */
export const AHEAD = 0;
export const PENDING = 1;
export const AWAY = 2;
export const BACK = 3;

/** Invariant: everything here follows from the choice of the last `reset`, but for what the decoder has added to the curves
 * and noted as stages. */
export class Layout {
  /** Device bytes at each kernel. */
  readonly curve: Curve;
  /** Host bytes at each kernel; null where the host has no budget. */
  readonly hostCurve: Curve | null;
  /** The gap of the same version used before, and after; -1 if none. */
  readonly previous: Int32Array;
  readonly next: Int32Array;
  /** How far each gap is. */
  readonly stage: Uint8Array;
  /** Tensors that the iteration before left elsewhere. */
  readonly isAwayAtStart: Uint8Array;
  /** The largest tensor that passes through the host to spill, bytes, and how many do. */
  passing = 0;
  toPass = 0;
  readonly #problem: Problem;
  readonly #diff: Float64Array;

  constructor(problem: Problem, hasHostBudget: boolean) {
    const { gaps, flat } = problem;
    this.#problem = problem;
    this.curve = new Curve(flat.kernelCount);
    this.hostCurve = hasHostBudget ? new Curve(flat.kernelCount) : null;
    this.previous = new Int32Array(gaps.count);
    this.next = new Int32Array(gaps.count);
    this.stage = new Uint8Array(gaps.count);
    this.isAwayAtStart = new Uint8Array(flat.tensorCount);
    this.#diff = new Float64Array(flat.kernelCount + 1);
  }

  /** @param choice KEEP, TO_HOST or TO_SPILL for each gap */
  reset(choice: Uint8Array): void {
    const { gaps, opening } = this.#problem;
    this.isAwayAtStart.fill(0);
    for (let g = 0; g < (opening[0] as number); g++) {
      if (choice[g] !== KEEP) this.isAwayAtStart[gaps.tensor[g] as number] = 1;
    }
    this.#layOutDevice(choice);
    this.#layOutHost(choice);
  }

  /** First kernel at which the host no longer holds what gap g has brought there. */
  heldUntil(g: number): number {
    const { gaps } = this.#problem;
    const next = this.next[g] as number;
    return next < 0 ? (gaps.to[g] as number) : (gaps.from[next] as number) + 1;
  }

  #layOutDevice(choice: Uint8Array): void {
    const { gaps, flat } = this.#problem;
    for (let g = 0; g < gaps.count; g++) {
      const before = gaps.previous[g] as number;
      this.previous[g] = before < 0 ? -1 : choice[before] === KEEP ? (this.previous[before] as number) : before;
    }
    fillDeviceBytes(this.#problem, choice, this.#diff);
    this.curve.reset(this.#diff.subarray(0, flat.kernelCount));
  }

  #layOutHost(choice: Uint8Array): void {
    const { gaps, flat } = this.#problem;
    const diff = this.#diff.fill(0);
    this.passing = 0;
    this.toPass = 0;
    for (let g = gaps.count - 1; g >= 0; g--) {
      const after = gaps.next[g] as number;
      this.next[g] = after < 0 ? -1 : choice[after] === KEEP ? (this.next[after] as number) : after;
      const bytes = gaps.bytes[g] as number;
      if (choice[g] === TO_SPILL) {
        this.passing = Math.max(this.passing, bytes);
        this.toPass++;
      }
      if (choice[g] !== TO_HOST || this.hostCurve === null) continue;
      const from = (gaps.from[g] as number) + 1;
      const to = this.heldUntil(g);
      diff[from]! += bytes;
      diff[to]! -= bytes;
    }
    if (this.hostCurve === null) return;
    for (let k = 1; k < flat.kernelCount; k++) diff[k]! += diff[k - 1] as number;
    this.hostCurve.reset(diff.subarray(0, flat.kernelCount));
  }
}
