/**
 * The state of the recompute search: which units are re-run before which kernels, and what follows from it, kept up to date
 * under single additions and removals.
 *
 * Each tensor has a list of *touches*: kernels (stages) at which it is read or built, ascending. Between two touches it is absent
 * exactly when it is built anew at the second: a reader takes the newest life, and a life ends with its last reader. So a set of
 * re-runs is a complete plan; nothing else is to be decided.
 *
 *   stage s = re-runs before kernel s, in the order of the first pass, then kernel s itself
 */
import { Curve, Steps } from "./recompute-curve.ts";
import { type Model, rerunMs } from "./recompute-model.ts";
import { firstFrom, stagePeak } from "./recompute-stage.ts";

/** Called with every stretch of stages strictly between `from` and `to` that a tensor starts (+) or stops (−) to occupy. */
export class Lives {
  // Invariant: stages[t] ascending; tag = 4 × re-runs that read it + (2 when kernel s itself touches it)
  // + (1 when built there), never 0; memory is exact for stages not in `dirty`.
  readonly model: Model;
  /** Stages before which each unit is re-run, ascending. */
  readonly runs: number[][];
  /** Units re-run before each kernel, in any order, and the place there of each of a unit's runs. */
  readonly runsAt: number[][];
  private readonly slots: number[][];
  readonly stages: number[][] = [];
  readonly tags: number[][] = [];
  /** Time of all re-runs, and price of what is live, relative to the last `resetPrice`. */
  recomputeMs = 0;
  price = 0;
  /** Prefix sums of the price of a byte at each stage: of all stages before. */
  readonly priceBefore: Float64Array;
  /** What a byte that is kept between two touches costs at most: then it is copied instead. */
  copyRate: number = Number.POSITIVE_INFINITY;
  /** Memory is only followed where asked: prices alone need no curve. */
  private follows = false;
  /** Count of kernels looked at to keep the curve up to date: what a search pays for, as a measure of effort. */
  work = 0;
  /** Highest bytes at each stage, without pinned ones; bytes carried into each stage. */
  readonly peaks: Curve;
  private readonly carried: Steps;
  private readonly dirty: number[] = [];
  private readonly isDirty: Uint8Array;
  private readonly lastTouch: Int32Array;

  constructor(model: Model) {
    const { kernelCount: n, tensorCount, touched, units } = model;
    this.model = model;
    this.runs = Array.from({ length: units.count }, () => []);
    this.runsAt = Array.from({ length: n }, () => []);
    this.slots = Array.from({ length: units.count }, () => []);
    this.priceBefore = new Float64Array(n + 2);
    this.peaks = new Curve(n);
    this.carried = new Steps(n + 1);
    this.isDirty = new Uint8Array(n + 1);
    this.lastTouch = new Int32Array(tensorCount);
    for (let t = 0; t < tensorCount; t++) {
      this.stages.push([]);
      this.tags.push([]);
    }
    for (let k = 0; k < n; k++) {
      for (let i = touched.start[k]!; i < touched.start[k + 1]!; i++) {
        const t = touched.items[i]!;
        this.stages[t]!.push(k);
        this.tags[t]!.push(units.firstWriter[t] === k ? 3 : 2);
      }
    }
    for (let t = 0; t < tensorCount; t++) {
      if (units.firstWriter[t]! < 0 || model.outlives[t] === 0) continue;
      this.stages[t]!.push(n);
      this.tags[t]!.push(2);
    }
  }

  /** May unit u be re-run before `stage`, and is it not already? */
  canAdd(unit: number, stage: number): boolean {
    const { units } = this.model;
    return (
      stage > units.members[units.memberStart[unit]!]! &&
      stage <= units.latest[unit]! &&
      !this.runs[unit]!.includes(stage)
    );
  }

  add(unit: number, stage: number): void {
    const { outputs, inputs, inputReader, units } = this.model;
    const runs = this.runs[unit]!;
    let i = runs.length;
    while (i > 0 && runs[i - 1]! > stage) i--;
    runs.splice(i, 0, stage);
    this.slots[unit]!.splice(i, 0, this.runsAt[stage]!.push(unit) - 1);
    this.recomputeMs += rerunMs(this.model, unit, stage);
    for (let o = outputs.start[unit]!; o < outputs.start[unit + 1]!; o++) {
      const t = outputs.items[o]!;
      if (units.firstWriter[t]! < stage) this.build(t, stage);
    }
    for (let x = inputs.start[unit]!; x < inputs.start[unit + 1]!; x++) {
      if (inputReader[x]! < stage) this.read(inputs.items[x]!, stage);
    }
    this.touchStage(stage);
  }

  remove(unit: number, stage: number): void {
    const { outputs, inputs, inputReader, units } = this.model;
    const runs = this.runs[unit]!;
    const i = runs.indexOf(stage);
    const slot = this.slots[unit]![i]!;
    runs.splice(i, 1);
    this.slots[unit]!.splice(i, 1);
    const at = this.runsAt[stage]!;
    const moved = at.pop()!;
    if (slot < at.length) {
      at[slot] = moved;
      this.slots[moved]![this.runs[moved]!.indexOf(stage)] = slot;
    }
    this.recomputeMs -= rerunMs(this.model, unit, stage);
    for (let x = inputs.start[unit]!; x < inputs.start[unit + 1]!; x++) {
      if (inputReader[x]! < stage) this.unread(inputs.items[x]!, stage);
    }
    for (let o = outputs.start[unit]!; o < outputs.start[unit + 1]!; o++) {
      const t = outputs.items[o]!;
      if (units.firstWriter[t]! < stage) this.unbuild(t, stage);
    }
    this.touchStage(stage);
  }

  /** Follows memory from now on. */
  follow(): void {
    const carried = this.carriedNow();
    this.carried.load(carried);
    this.peaks.load(this.peaksOver(carried));
    this.follows = true;
    this.settle();
  }

  /** Highest bytes at each stage, without pinned ones; for once, without following. */
  peaksNow(): Float64Array {
    return this.peaksOver(this.carriedNow());
  }

  private carriedNow(): Float64Array {
    const { kernelCount: n, bytes, tensorCount } = this.model;
    const carried = new Float64Array(n + 2);
    for (let t = 0; t < tensorCount; t++) {
      const stages = this.stages[t]!;
      const tags = this.tags[t]!;
      for (let i = 1; i < stages.length; i++) {
        if ((tags[i]! & 1) === 1) continue;
        carried[stages[i - 1]! + 1]! += bytes[t]!;
        carried[stages[i]! + 1]! -= bytes[t]!;
      }
    }
    for (let k = 1; k <= n; k++) carried[k]! += carried[k - 1]!;
    return carried.subarray(0, n + 1);
  }

  private peaksOver(carried: Float64Array): Float64Array {
    const peaks = new Float64Array(this.model.kernelCount);
    for (let k = 0; k < peaks.length; k++) peaks[k] = this.stagePeak(k, carried[k]!);
    return peaks;
  }

  /** Forgets the curve: additions and removals are cheaper, `peaks` is stale. */
  unfollow(): void {
    this.follows = false;
  }

  /** Highest bytes of all, weights included. */
  peakBytes(): number {
    this.settle();
    return this.peaks.max() + this.model.pinnedBytes;
  }

  settle(): void {
    for (const stage of this.dirty) {
      this.isDirty[stage] = 0;
      if (this.follows) this.peaks.set(stage, this.stagePeak(stage, this.carried.at(stage)));
    }
    this.dirty.length = 0;
  }

  /** Position of the first touch of t at or after `stage`. */
  position(t: number, stage: number): number {
    return firstFrom(this.stages[t]!, stage);
  }

  /**
   * Price of keeping t from its touch before position i to stage `to`, or of copying it. Where only a re-run touches it, it is there
   * beside the kernel too, which has its price.
   */
  keepPrice(t: number, i: number, to: number): number {
    const first = this.stages[t]![i - 1]! + ((this.tags[t]![i - 1]! >> 1) & 1);
    return this.model.bytes[t]! * Math.min(this.copyRate, this.priceBefore[to]! - this.priceBefore[first]!);
  }

  private read(t: number, stage: number): void {
    const i = this.position(t, stage);
    const [stages, tags] = [this.stages[t]!, this.tags[t]!];
    if (stages[i] === stage) {
      tags[i]! += 4;
      return;
    }
    const lives = livesUpTo(tags, i);
    if (lives) this.price -= this.keepPrice(t, i, stages[i]!);
    stages.splice(i, 0, stage);
    tags.splice(i, 0, 4);
    if (lives) this.price += this.keepPrice(t, i, stage) + this.keepPrice(t, i + 1, stages[i + 1]!);
    else this.occupy(t, i, stage, 1);
  }

  private unread(t: number, stage: number): void {
    const i = this.position(t, stage);
    const [stages, tags] = [this.stages[t]!, this.tags[t]!];
    tags[i]! -= 4;
    if (tags[i] !== 0) return;
    const lives = livesUpTo(tags, i + 1);
    if (lives) this.price -= this.keepPrice(t, i, stage) + this.keepPrice(t, i + 1, stages[i + 1]!);
    else this.occupy(t, i, stage, -1);
    stages.splice(i, 1);
    tags.splice(i, 1);
    if (lives) this.price += this.keepPrice(t, i, stages[i]!);
  }

  private build(t: number, stage: number): void {
    const i = this.position(t, stage);
    const [stages, tags] = [this.stages[t]!, this.tags[t]!];
    if (stages[i] === stage) {
      tags[i]! |= 1;
      this.occupy(t, i, stage, -1);
      return;
    }
    const lives = livesUpTo(tags, i);
    if (lives) this.price -= this.keepPrice(t, i, stages[i]!);
    stages.splice(i, 0, stage);
    tags.splice(i, 0, 1);
    if (!lives) return;
    this.price += this.keepPrice(t, i + 1, stages[i + 1]!);
    this.hold(t, i, stage, -1);
  }

  private unbuild(t: number, stage: number): void {
    const i = this.position(t, stage);
    const [stages, tags] = [this.stages[t]!, this.tags[t]!];
    tags[i]! &= ~1;
    if (tags[i] !== 0) {
      this.occupy(t, i, stage, 1);
      return;
    }
    const lives = livesUpTo(tags, i + 1);
    if (lives) {
      this.price -= this.keepPrice(t, i + 1, stages[i + 1]!);
      this.hold(t, i, stage, 1);
    }
    stages.splice(i, 1);
    tags.splice(i, 1);
    if (lives) this.price += this.keepPrice(t, i, stages[i]!);
  }

  /** Tensor t starts or stops to be live between its touch before position i and stage `to`. */
  private occupy(t: number, i: number, to: number, sign: 1 | -1): void {
    this.price += sign * this.keepPrice(t, i, to);
    this.hold(t, i, to, sign);
  }

  /** The memory of that. */
  private hold(t: number, i: number, to: number, sign: 1 | -1): void {
    const bytes = sign * this.model.bytes[t]!;
    if (bytes === 0 || !this.follows) return;
    const from = this.stages[t]![i - 1]!;
    this.peaks.addTo(from + 1, to - 1, bytes);
    this.carried.addTo(from + 1, to, bytes);
    this.touchStage(from);
    this.touchStage(to);
  }

  private touchStage(stage: number): void {
    if (!this.follows || stage >= this.model.kernelCount || this.isDirty[stage] === 1) return;
    this.isDirty[stage] = 1;
    this.dirty.push(stage);
  }

  private stagePeak(stage: number, carriedBytes: number): number {
    this.work += this.runsAt[stage]!.length + 4;
    return stagePeak(this, this.lastTouch, stage, carriedBytes);
  }
}

/** A tensor is live up to its touch at position i: there is one, and it is not built anew there. */
function livesUpTo(tags: readonly number[], i: number): boolean {
  return i < tags.length && (tags[i]! & 1) === 0;
}
