/**
 * Moves of the recompute search that can be taken back. A move is scored by the time it adds plus the price of the memory it
 * occupies; a price of 0 everywhere leaves time alone.
 */
import type { Lives } from "./recompute-lives.ts";
import { rerunMs } from "./recompute-model.ts";

/** Rebuild chains deeper than this are not tried: each level of the chain would be freed memory of less and less worth. */
const MAX_DEPTH = 400;
/** Units tried in one move. */
const MAX_TRIES = 300;

export class Trial {
  // Invariant: undoing the journal from its end leads back to the state at `mark() === 0`.
  readonly lives: Lives;
  /** Move in which a rebuild of each unit was last found too dear: in a graph with many paths it would be tried on each of them. */
  readonly #rejected: Int32Array;
  #moves = 0;
  #tries = 0;
  readonly #journalUnits: number[] = [];
  /** Stage of an addition, ~stage of a removal. */
  readonly #journalStages: number[] = [];

  constructor(lives: Lives) {
    this.lives = lives;
    this.#rejected = new Int32Array(lives.model.units.count);
  }

  score(): number {
    return this.lives.recomputeMs + this.lives.price;
  }

  mark(): number {
    return this.#journalUnits.length;
  }

  commit(): void {
    this.#journalUnits.length = 0;
    this.#journalStages.length = 0;
  }

  rollback(mark = 0): void {
    while (this.#journalUnits.length > mark) {
      const unit = this.#journalUnits.pop()!;
      const stage = this.#journalStages.pop()!;
      if (stage >= 0) this.lives.remove(unit, stage);
      else this.lives.add(unit, ~stage);
    }
  }

  add(unit: number, stage: number): void {
    this.lives.add(unit, stage);
    this.#journalUnits.push(unit);
    this.#journalStages.push(stage);
  }

  remove(unit: number, stage: number): void {
    this.lives.remove(unit, stage);
    this.#journalUnits.push(unit);
    this.#journalStages.push(~stage);
  }

  /**
   * Re-runs a unit before a kernel, and where an input is not there by then, whatever is cheapest: keep it until then, rebuild it
   * too, or rebuild it now instead of later.
   *
   * @param worth ms beyond which it cannot pay; the chain is left unfinished then, to be taken back
   */
  build(unit: number, stage: number, worth: number = Number.POSITIVE_INFINITY, depth = 0): void {
    const { lives } = this;
    const { model } = lives;
    const { inputs, inputReader, units, bytes } = model;
    if (depth === 0) {
      this.#moves++;
      this.#tries = 0;
    }
    const msBefore = lives.recomputeMs;
    this.add(unit, stage);
    for (let i = inputs.start[unit]!; i < inputs.start[unit + 1]!; i++) {
      if (inputReader[i]! >= stage) continue;
      const t = inputs.items[i]!;
      if (bytes[t] === 0) continue;
      const at = lives.position(t, stage);
      const stages = lives.stages[t]!;
      const tags = lives.tags[t]!;
      // Present anyway: built here, or read by someone else here or later.
      if (tags[at] !== 4 || (at + 1 < stages.length && (tags[at + 1]! & 1) === 0)) continue;
      const source = units.unitOf[units.firstWriter[t]!]!;
      if (depth >= MAX_DEPTH || this.#tries >= MAX_TRIES || this.#rejected[source] === this.#moves) continue;
      if (!lives.canAdd(source, stage)) continue;
      const keepPrice = lives.keepPrice(t, at, stage);
      const pulledMs = at + 1 < stages.length ? rerunMs(model, source, stages[at + 1]!) : 0;
      const left = worth - (lives.recomputeMs - msBefore);
      const chainWorth = Math.min(keepPrice, left) + pulledMs;
      if (chainWorth < rerunMs(model, source, stage)) continue;
      const mark = this.mark();
      const before = this.score();
      this.#tries++;
      this.build(source, stage, chainWorth, depth + 1);
      if (this.score() < before) continue;
      this.rollback(mark);
      this.#rejected[source] = this.#moves;
    }
    this.pull(unit, stage);
  }

  /** Undoes the unit's next re-run where keeping what was built at `stage` until then is cheaper. */
  pull(unit: number, stage: number): void {
    const runs = this.lives.runs[unit]!;
    const next = runs[runs.indexOf(stage) + 1];
    if (next === undefined) return;
    const mark = this.mark();
    const before = this.score();
    this.remove(unit, next);
    if (this.score() >= before) this.rollback(mark);
  }
}
