/**
 * Recompute by prices (a Lagrangian descent): a byte at an overfull stage has a price in ms, which rises until the plan fits. At
 * given prices every unit decides for itself where to be re-run, readers before what they read; a sweep is linear in the graph,
 * so this is the part of the search that works at any size.
 */
import type { Lives } from "./recompute-lives.ts";
import { outputBytes, rerunMs } from "./recompute-model.ts";
import { Trial } from "./recompute-trial.ts";

/** Re-runs as pairs unit, stage. */
export type Snapshot = Int32Array;

export function snapshot(lives: Lives): Snapshot {
  const pairs: number[] = [];
  lives.runs.forEach((stages, unit) => {
    for (const stage of stages) pairs.push(unit, stage);
  });
  return Int32Array.from(pairs);
}

/** Makes the re-runs those of a snapshot, by their difference. Memory is not followed afterwards. */
export function restore(lives: Lives, pairs: Snapshot): void {
  lives.unfollow();
  for (let unit = 0, i = 0; unit < lives.runs.length; unit++) {
    const stages = lives.runs[unit]!;
    const first = i;
    while (i < pairs.length && pairs[i] === unit) i += 2;
    for (let s = stages.length - 1; s >= 0; s--)
      if (!hasPair(pairs, first, i, stages[s]!)) lives.remove(unit, stages[s]!);
    for (let p = first; p < i; p += 2) if (!stages.includes(pairs[p + 1]!)) lives.add(unit, pairs[p + 1]!);
  }
}

function hasPair(pairs: Snapshot, from: number, to: number, stage: number): boolean {
  for (let i = from; i < to; i += 2) if (pairs[i + 1] === stage) return true;
  return false;
}

export interface PriceOptions {
  readonly levels: number;
  /** Growth of the price of an overfull stage per level. */
  readonly growth: number;
  /** Decay where there is room. */
  readonly decay: number;
  /** Ends after so many levels without a better plan; where none fits yet, presses on first. */
  readonly patience: number;
  /**
   * Where one level makes the plan dearer by more than this share of the iteration, long chains were re-run because all prices
   * rose at once: the level is taken back and tried with smaller rises. Infinity presses on.
   */
  readonly jump: number;
  readonly sweeps: number;
}

export const FINE: PriceOptions = { levels: 80, growth: 1.3, decay: 0.97, patience: 15, sweeps: 2, jump: 0.02 };
export const COARSE: PriceOptions = { levels: 80, growth: 1.6, decay: 0.97, patience: 4, sweeps: 1, jump: 0.02 };

/** Smallest rise of prices, as a share of the normal one. */
const SLOWEST = 0.05;

/**
 * Raises prices until the plan fits or nothing changes any more.
 *
 * @param budgetBytes weights included
 * @param onLevel told of every level that is kept, with its prices; false ends the descent
 * @returns the cheapest plan that fits, or else the one with the lowest peak
 */
export function priceDescent(
  lives: Lives,
  budgetBytes: number,
  options: PriceOptions,
  onLevel: (price: Float64Array, fits: boolean) => boolean = () => true,
): Snapshot {
  const { model } = lives;
  const { kernelCount: n } = model;
  const budget = budgetBytes - model.pinnedBytes;
  const price = new Float64Array(n);
  lives.unfollow();
  let best = snapshot(lives);
  let bestMs = Number.POSITIVE_INFINITY;
  let bestPeak = Number.POSITIVE_INFINITY;
  let since = 0;
  const start = startingPrice(lives);
  const allMs = model.ms.reduce((sum, ms) => sum + ms, 0);
  let pace = 1;
  let { jump } = options;
  for (let level = 0; level < options.levels; level++) {
    const peaks = lives.memory.peaksNow();
    const peak = peaks.reduce((most, bytes) => (bytes > most ? bytes : most), 0);
    const fits = peak <= budget;
    if (fits ? lives.recomputeMs < bestMs : bestMs === Number.POSITIVE_INFINITY && peak < bestPeak) {
      best = snapshot(lives);
      bestPeak = peak;
      if (fits) bestMs = lives.recomputeMs;
      since = 0;
    } else if (++since > options.patience) {
      if (bestMs < Number.POSITIVE_INFINITY || jump === Number.POSITIVE_INFINITY) break;
      jump = Number.POSITIVE_INFINITY;
      since = 0;
    }
    if (fits && lives.recomputeMs === 0) break;
    if (!onLevel(price, fits)) break;
    const before = { runs: snapshot(lives), price: price.slice(), ms: lives.recomputeMs };
    raise(peaks, budget, price, start, options, pace);
    setPrices(lives, price);
    for (let s = 0; s < options.sweeps; s++) sweep(lives);
    if (lives.recomputeMs - before.ms > jump * allMs && pace > SLOWEST) {
      restore(lives, before.runs);
      price.set(before.price);
      pace /= 2;
      since--;
    } else {
      pace = Math.min(1, pace * 1.4);
    }
  }
  return best;
}

function raise(
  peaks: Float64Array,
  budget: number,
  price: Float64Array,
  start: number,
  { growth, decay }: PriceOptions,
  pace: number,
): void {
  for (let k = 0; k < peaks.length; k++) {
    const excess = peaks[k]! - budget;
    if (excess <= 0) price[k]! *= decay;
    else price[k] = Math.max(price[k]!, start) * growth ** (pace * (0.3 + Math.min(1, (4 * excess) / budget)));
  }
}

/** Lets every unit decide at these prices of a byte; twice, as some decide by what others have decided. */
export function decideAt(lives: Lives, price: Float64Array): Snapshot {
  setPrices(lives, price);
  sweep(lives);
  sweep(lives);
  return snapshot(lives);
}

function setPrices(lives: Lives, price: Float64Array): void {
  const before = lives.priceBefore;
  let sum = 0;
  for (let k = 0; k < price.length; k++) {
    before[k] = sum;
    sum += price[k]!;
  }
  before[price.length] = sum;
  before[price.length + 1] = sum;
  lives.price = 0;
}

/** A price at which hardly anything is worth dropping: that of the cheapest gap over the whole iteration, and less. */
function startingPrice({ model }: Lives): number {
  let least = Number.POSITIVE_INFINITY;
  for (let unit = 0; unit < model.units.count; unit++) {
    const bytes = outputBytes(model, unit);
    if (bytes > 0 && model.unitMs[unit]! > 0) least = Math.min(least, model.unitMs[unit]! / bytes);
  }
  return Number.isFinite(least) ? least / Math.max(1, model.kernelCount) : 0;
}

/** Every unit once, last first: drops and rebuilds that pay at the current prices are added, re-runs that do not are removed. */
export function sweep(lives: Lives): void {
  const { model, runs } = lives;
  const trial = new Trial(lives);
  const { outputs, units } = model;
  for (let unit = units.count - 1; unit >= 0; unit--) {
    for (const stage of runs[unit]!.slice()) {
      if (!runs[unit]!.includes(stage)) continue;
      const before = trial.score();
      trial.remove(unit, stage);
      if (trial.score() > before - 1e-12) trial.rollback();
      trial.commit();
    }
    if (units.latest[unit]! <= units.members[units.memberStart[unit]!]!) continue;
    for (let i = outputs.start[unit]!; i < outputs.start[unit + 1]!; i++) {
      const t = outputs.items[i]!;
      for (let at = lives.stages[t]!.length - 1; at > 0; at--) {
        const stage = lives.stages[t]![at]!;
        if ((lives.tags[t]![at]! & 1) === 1) continue;
        const worth = worthOf(lives, unit, t, at);
        if (worth <= 0) continue;
        const before = trial.score();
        trial.build(unit, stage, worth);
        if (trial.score() > before - 1e-12) trial.rollback();
        trial.commit();
      }
    }
  }
}

/** The most that a re-run before a touch can cost and still pay, ms; 0 when its own time is more than that. */
function worthOf(lives: Lives, unit: number, t: number, at: number): number {
  const { model } = lives;
  const stage = lives.stages[t]![at]!;
  if (!lives.canAdd(unit, stage)) return 0;
  const next = lives.runs[unit]!.find((run) => run > stage);
  let worth = next === undefined ? 0 : rerunMs(model, unit, next);
  for (let i = model.outputs.start[unit]!; i < model.outputs.start[unit + 1]!; i++) {
    const other = model.outputs.items[i]!;
    const place = other === t ? at : lives.position(other, stage);
    if (place >= lives.stages[other]!.length || place === 0 || (lives.tags[other]![place]! & 1) === 1) continue;
    worth += lives.keepPrice(other, place, stage);
  }
  return worth > rerunMs(model, unit, stage) ? worth : 0;
}
