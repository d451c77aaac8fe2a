/**
 * The bytes that a choice of re-runs takes on the device, stage by stage: kept up to date under single additions and removals where
 * that is asked for, as prices alone need no curve.
 */
import { Curve } from "./curve.ts";
import { stagePeak, type Touches } from "./recompute-stage.ts";

/** Invariant: while it follows, the curves are exact for stages that are not in `dirty`. */
export class Memory {
  /** Highest bytes at each stage, without pinned ones; bytes carried into each stage. */
  readonly peaks: Curve;
  readonly #carried: Curve;
  /** Count of kernels looked at to keep the curve up to date: what a search pays for, as a measure of effort. */
  work = 0;
  readonly #touches: Touches;
  #follows = false;
  readonly #dirty: number[] = [];
  readonly #isDirty: Uint8Array;
  readonly #lastTouch: Int32Array;

  constructor(touches: Touches) {
    const { kernelCount: n, tensorCount } = touches.model;
    this.#touches = touches;
    this.peaks = new Curve(n);
    this.#carried = new Curve(n + 1);
    this.#isDirty = new Uint8Array(n + 1);
    this.#lastTouch = new Int32Array(tensorCount);
  }

  follow(): void {
    const carried = this.#carriedNow();
    this.#carried.reset(carried);
    this.peaks.reset(this.#peaksOver(carried));
    this.#follows = true;
    this.settle();
  }

  unfollow(): void {
    this.#follows = false;
  }

  /** Highest bytes at each stage, without pinned ones; for once, without following. */
  peaksNow(): Float64Array {
    return this.#peaksOver(this.#carriedNow());
  }

  /** Highest bytes of all, weights included. */
  peakBytes(): number {
    this.settle();
    return this.peaks.highest + this.#touches.model.pinnedBytes;
  }

  settle(): void {
    for (const stage of this.#dirty) {
      this.#isDirty[stage] = 0;
      if (!this.#follows) continue;
      const change = this.#stagePeak(stage, this.#carried.at(stage)) - this.peaks.at(stage);
      if (change !== 0) this.peaks.add(stage, stage + 1, change);
    }
    this.#dirty.length = 0;
  }

  /** Tensor t starts or stops to be live between its touch before position i and stage `to`. */
  hold(t: number, i: number, to: number, sign: 1 | -1): void {
    const bytes = sign * this.#touches.model.bytes[t]!;
    if (bytes === 0 || !this.#follows) return;
    const from = this.#touches.stages[t]![i - 1]!;
    this.peaks.add(from + 1, to, bytes);
    this.#carried.add(from + 1, to + 1, bytes);
    this.touch(from);
    this.touch(to);
  }

  /** Something inside the stage changes. */
  touch(stage: number): void {
    if (!this.#follows || stage >= this.#touches.model.kernelCount || this.#isDirty[stage] === 1) return;
    this.#isDirty[stage] = 1;
    this.#dirty.push(stage);
  }

  #carriedNow(): Float64Array {
    const { model, stages: stagesOf, tags: tagsOf } = this.#touches;
    const { kernelCount: n, bytes, tensorCount } = model;
    const carried = new Float64Array(n + 2);
    for (let t = 0; t < tensorCount; t++) {
      const stages = stagesOf[t]!;
      const tags = tagsOf[t]!;
      for (let i = 1; i < stages.length; i++) {
        if ((tags[i]! & 1) === 1) continue;
        carried[stages[i - 1]! + 1]! += bytes[t]!;
        carried[stages[i]! + 1]! -= bytes[t]!;
      }
    }
    for (let k = 1; k <= n; k++) carried[k]! += carried[k - 1]!;
    return carried.subarray(0, n + 1);
  }

  #peaksOver(carried: Float64Array): Float64Array {
    const peaks = new Float64Array(this.#touches.model.kernelCount);
    for (let k = 0; k < peaks.length; k++) peaks[k] = this.#stagePeak(k, carried[k]!);
    return peaks;
  }

  #stagePeak(stage: number, carriedBytes: number): number {
    this.work += this.#touches.runsAt[stage]!.length + 4;
    return stagePeak(this.#touches, this.#lastTouch, stage, carriedBytes);
  }
}
