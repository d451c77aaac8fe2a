/**
 * Local search on a recompute plan with the exact memory curve: takes re-runs back, drops something else where that made room
 * disappear, and keeps what is cheaper (simulated annealing; effort is a count of moves). Also the repair of a plan that does not
 * fit yet.
 */
import type { Lives } from "./recompute-lives.ts";
import { outputBytes, rerunMs } from "./recompute-model.ts";
import { restore, snapshot } from "./recompute-prices.ts";
import { Trial } from "./recompute-trial.ts";
import { below, oneOf } from "./random.ts";

/** Units that may run again and build something of size. */
function usefulUnits({ model }: Lives): number[] {
  const useful: number[] = [];
  for (let unit = 0; unit < model.units.count; unit++) {
    if (model.units.latest[unit]! <= model.units.members[model.units.memberStart[unit]!]!) continue;
    if (outputBytes(model, unit) > 0) useful.push(unit);
  }
  return useful;
}

/** The stage before which a unit could be re-run so that it is absent at `peak`; -1 when it is absent or used there. */
function dropOver(lives: Lives, unit: number, peak: number): number {
  const { outputs, bytes } = lives.model;
  let stage = -1;
  let most = 0;
  for (let i = outputs.start[unit]!; i < outputs.start[unit + 1]!; i++) {
    const t = outputs.items[i]!;
    if (bytes[t]! <= most) continue;
    const stages = lives.stages[t]!;
    const tags = lives.tags[t]!;
    let at = lives.position(t, peak);
    // Built or last read there by a re-run, it need not stay for the kernel.
    if (stages[at] === peak && (tags[at]! & 2) === 0) at++;
    if (at === 0 || at >= stages.length || stages[at] === peak || (tags[at]! & 1) === 1) continue;
    if (!lives.canAdd(unit, stages[at]!)) continue;
    stage = stages[at]!;
    most = bytes[t]!;
  }
  return stage;
}

/** Drops what is cheapest per byte at the highest stage, until the plan fits or nothing lowers it any more. */
export function repair(lives: Lives, budget: number, tries: number): boolean {
  const useful = usefulUnits(lives);
  const trial = new Trial(lives);
  for (let step = 0; step < tries; step++) {
    const peakBytes = lives.peakBytes();
    if (peakBytes <= budget) return true;
    const peak = lives.peaks.peak;
    const options: { unit: number; stage: number; rate: number }[] = [];
    for (const unit of useful) {
      const stage = dropOver(lives, unit, peak);
      if (stage < 0) continue;
      const bytes = outputBytes(lives.model, unit);
      options.push({ unit, stage, rate: rerunMs(lives.model, unit, stage) / Math.min(bytes, peakBytes - budget) });
    }
    options.sort((a, b) => a.rate - b.rate);
    let done = false;
    for (const { unit, stage } of options) {
      trial.build(unit, stage);
      done = lives.peakBytes() < peakBytes || (lives.peakBytes() === peakBytes && lives.peaks.peak !== peak);
      if (done) trial.commit();
      else trial.rollback();
      if (done) break;
    }
    if (!done) return false;
  }
  return lives.peakBytes() <= budget;
}

/** Takes back what is not needed, dearest first; ends early when that took `work` kernels. */
export function prune(lives: Lives, budget: number, work: number): void {
  const end = lives.memory.work + work;
  const runs: { unit: number; stage: number; ms: number }[] = [];
  lives.runs.forEach((stages, unit) => {
    for (const stage of stages) runs.push({ unit, stage, ms: rerunMs(lives.model, unit, stage) });
  });
  runs.sort((a, b) => b.ms - a.ms);
  for (const { unit, stage } of runs) {
    if (lives.memory.work > end) return;
    lives.remove(unit, stage);
    if (lives.peakBytes() > budget) lives.add(unit, stage);
  }
}

/**
 * @param budget weights included; the plan must fit it, and still does afterwards
 * @param moves count of moves; fewer where they turn out to be as dear as `work` kernels
 */
export function anneal(lives: Lives, budget: number, moves: number, work: number, random: () => number): void {
  const useful = usefulUnits(lives);
  if (useful.length === 0) return;
  const trial = new Trial(lives);
  let best = snapshot(lives);
  let bestMs = lives.recomputeMs;
  const runCount = best.length / 2;
  const start = (0.5 * bestMs) / Math.max(1, runCount);
  const workBefore = lives.memory.work;
  for (let move = 0; move < moves; move++) {
    const done = Math.max(move / moves, (lives.memory.work - workBefore) / work);
    if (done >= 1) break;
    const heat = start * (1 - done) ** 2;
    const before = lives.recomputeMs;
    const limit = before - heat * Math.log(1 - random());
    perturb(trial, useful, random);
    let ok = true;
    for (let fix = 0; fix < 6; fix++) {
      const excess = lives.peakBytes() - budget;
      if (excess <= 0) break;
      ok = lives.recomputeMs < limit && dropSomething(trial, useful, excess, random);
      if (!ok) break;
    }
    if (ok) removeSome(trial, budget, random);
    if (ok && lives.recomputeMs <= limit && lives.peakBytes() <= budget) {
      trial.commit();
      if (lives.recomputeMs < bestMs - 1e-9) {
        bestMs = lives.recomputeMs;
        best = snapshot(lives);
      }
    } else {
      trial.rollback();
    }
  }
  restore(lives, best);
  lives.follow();
}

/** Removes a random re-run, or adds one. */
function perturb(trial: Trial, useful: readonly number[], random: () => number): void {
  const { lives } = trial;
  if (random() < 0.6) {
    for (let attempt = 0; attempt < 20; attempt++) {
      const unit = oneOf(useful, random)!;
      const runs = lives.runs[unit]!;
      if (runs.length === 0) continue;
      trial.remove(unit, oneOf(runs, random)!);
      return;
    }
  }
  const stage = lives.peaks.peak;
  dropSomething(trial, useful, Number.POSITIVE_INFINITY, random, stage);
}

/** Drops the cheapest per byte of a few random units over the highest stage. */
function dropSomething(
  trial: Trial,
  useful: readonly number[],
  excess: number,
  random: () => number,
  peak = trial.lives.peaks.peak,
): boolean {
  const { lives } = trial;
  const { model } = lives;
  let found = 0;
  let best = -1;
  let bestStage = -1;
  let bestRate = Number.POSITIVE_INFINITY;
  const wanted = 1 + below(8, random);
  for (let attempt = 0; attempt < 40 && found < wanted; attempt++) {
    const unit = oneOf(useful, random)!;
    const stage = dropOver(lives, unit, peak);
    if (stage < 0) continue;
    found++;
    const rate = rerunMs(model, unit, stage) / Math.min(outputBytes(model, unit), excess);
    if (rate >= bestRate) continue;
    [best, bestStage, bestRate] = [unit, stage, rate];
  }
  if (best < 0) return false;
  trial.build(best, bestStage);
  return true;
}

/** Tries to take back a few random re-runs while the plan still fits. */
function removeSome(trial: Trial, budget: number, random: () => number): void {
  const { lives } = trial;
  const { units } = lives.model;
  for (let attempt = 0; attempt < 12; attempt++) {
    const unit = below(units.count, random);
    const runs = lives.runs[unit]!;
    if (runs.length === 0) continue;
    const mark = trial.mark();
    trial.remove(unit, oneOf(runs, random)!);
    if (lives.peakBytes() > budget) trial.rollback(mark);
  }
}
