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
import { firstFrom } from "../ascending.ts";
import type { Curve } from "./curve.ts";
import { Memory } from "./recompute-memory.ts";
import { type Model, rerunMs } from "./recompute-model.ts";

/** What a choice of re-runs means for every tensor, its price, and its memory (recompute-memory.ts). */
export class Lives {
  // Invariant: stages[t] ascending; tag = 4 × re-runs that read it + (2 when kernel s itself touches it)
  // + (1 when built there), never 0.
  readonly model: Model;
  /** Stages before which each unit is re-run, ascending. */
  readonly runs: number[][];
  /** Units re-run before each kernel, in any order, and the place there of each of a unit's runs. */
  readonly runsAt: number[][];
  readonly #slots: number[][];
  readonly stages: number[][] = [];
  readonly tags: number[][] = [];
  /** Time of all re-runs, and price of what is live, relative to the last `resetPrice`. */
  recomputeMs = 0;
  price = 0;
  /** Prefix sums of the price of a byte at each stage: of all stages before. */
  readonly priceBefore: Float64Array;
  /** What a byte that is kept between two touches costs at most: then it is copied instead. */
  copyRate: number = Number.POSITIVE_INFINITY;
  /** Followed only where asked: prices alone need no curve. */
  readonly memory: Memory;

  constructor(model: Model) {
    const { kernelCount: n, tensorCount, touched, units } = model;
    this.model = model;
    this.runs = Array.from({ length: units.count }, () => []);
    this.runsAt = Array.from({ length: n }, () => []);
    this.#slots = Array.from({ length: units.count }, () => []);
    this.priceBefore = new Float64Array(n + 2);
    this.memory = new Memory(this);
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
    this.#slots[unit]!.splice(i, 0, this.runsAt[stage]!.push(unit) - 1);
    this.recomputeMs += rerunMs(this.model, unit, stage);
    for (let o = outputs.start[unit]!; o < outputs.start[unit + 1]!; o++) {
      const t = outputs.items[o]!;
      if (units.firstWriter[t]! < stage) this.#build(t, stage);
    }
    for (let x = inputs.start[unit]!; x < inputs.start[unit + 1]!; x++) {
      if (inputReader[x]! < stage) this.#read(inputs.items[x]!, stage);
    }
    this.memory.touch(stage);
  }

  remove(unit: number, stage: number): void {
    const { outputs, inputs, inputReader, units } = this.model;
    const runs = this.runs[unit]!;
    const i = runs.indexOf(stage);
    const slot = this.#slots[unit]![i]!;
    runs.splice(i, 1);
    this.#slots[unit]!.splice(i, 1);
    const at = this.runsAt[stage]!;
    const moved = at.pop()!;
    if (slot < at.length) {
      at[slot] = moved;
      this.#slots[moved]![this.runs[moved]!.indexOf(stage)] = slot;
    }
    this.recomputeMs -= rerunMs(this.model, unit, stage);
    for (let x = inputs.start[unit]!; x < inputs.start[unit + 1]!; x++) {
      if (inputReader[x]! < stage) this.#unread(inputs.items[x]!, stage);
    }
    for (let o = outputs.start[unit]!; o < outputs.start[unit + 1]!; o++) {
      const t = outputs.items[o]!;
      if (units.firstWriter[t]! < stage) this.#unbuild(t, stage);
    }
    this.memory.touch(stage);
  }

  /** Follows memory from now on. */
  follow(): void {
    this.memory.follow();
  }

  /** Forgets the curve: additions and removals are cheaper, `peaks` is stale. */
  unfollow(): void {
    this.memory.unfollow();
  }

  /** Highest bytes at each stage, without pinned ones; settled first. */
  get peaks(): Curve {
    return this.memory.peaks;
  }

  settle(): void {
    this.memory.settle();
  }

  /** Highest bytes of all, weights included. */
  peakBytes(): number {
    return this.memory.peakBytes();
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

  #read(t: number, stage: number): void {
    const i = this.position(t, stage);
    const stages = this.stages[t]!;
    const tags = this.tags[t]!;
    if (stages[i] === stage) {
      tags[i]! += 4;
      return;
    }
    const lives = livesUpTo(tags, i);
    if (lives) this.price -= this.keepPrice(t, i, stages[i]!);
    stages.splice(i, 0, stage);
    tags.splice(i, 0, 4);
    if (lives) this.price += this.keepPrice(t, i, stage) + this.keepPrice(t, i + 1, stages[i + 1]!);
    else this.#occupy(t, i, stage, 1);
  }

  #unread(t: number, stage: number): void {
    const i = this.position(t, stage);
    const stages = this.stages[t]!;
    const tags = this.tags[t]!;
    tags[i]! -= 4;
    if (tags[i] !== 0) return;
    const lives = livesUpTo(tags, i + 1);
    if (lives) this.price -= this.keepPrice(t, i, stage) + this.keepPrice(t, i + 1, stages[i + 1]!);
    else this.#occupy(t, i, stage, -1);
    stages.splice(i, 1);
    tags.splice(i, 1);
    if (lives) this.price += this.keepPrice(t, i, stages[i]!);
  }

  #build(t: number, stage: number): void {
    const i = this.position(t, stage);
    const stages = this.stages[t]!;
    const tags = this.tags[t]!;
    if (stages[i] === stage) {
      tags[i]! |= 1;
      this.#occupy(t, i, stage, -1);
      return;
    }
    const lives = livesUpTo(tags, i);
    if (lives) this.price -= this.keepPrice(t, i, stages[i]!);
    stages.splice(i, 0, stage);
    tags.splice(i, 0, 1);
    if (!lives) return;
    this.price += this.keepPrice(t, i + 1, stages[i + 1]!);
    this.memory.hold(t, i, stage, -1);
  }

  #unbuild(t: number, stage: number): void {
    const i = this.position(t, stage);
    const stages = this.stages[t]!;
    const tags = this.tags[t]!;
    tags[i]! &= ~1;
    if (tags[i] !== 0) {
      this.#occupy(t, i, stage, 1);
      return;
    }
    const lives = livesUpTo(tags, i + 1);
    if (lives) {
      this.price -= this.keepPrice(t, i + 1, stages[i + 1]!);
      this.memory.hold(t, i, stage, 1);
    }
    stages.splice(i, 1);
    tags.splice(i, 1);
    if (lives) this.price += this.keepPrice(t, i, stages[i]!);
  }

  /** Tensor t starts or stops to be live between its touch before position i and stage `to`. */
  #occupy(t: number, i: number, to: number, sign: 1 | -1): void {
    this.price += sign * this.keepPrice(t, i, to);
    this.memory.hold(t, i, to, sign);
  }
}

/** A tensor is live up to its touch at position i: there is one, and it is not built anew there. */
function livesUpTo(tags: readonly number[], i: number): boolean {
  return i < tags.length && (tags[i]! & 1) === 0;
}
