/**
 * From no recomputation to as much as a budget asks for: prices of a byte rise over the kernels that are too full, and each level
 * is a choice of re-runs with a lower peak than the one before. What is left above the device's budget at a level is to be
 * copied. Which level is best depends on the link: some are measured on the way, then those around the best.
 */
import type { Lives } from "./recompute-lives.ts";
import {
  decideAt,
  FINE,
  type PriceOptions,
  priceDescent,
  restore,
  type Snapshot,
  snapshot,
} from "./recompute-prices.ts";

export interface Descended {
  /** Prices of a byte at each kernel, ms, and the re-runs that were chosen at them. */
  readonly price: Float64Array;
  readonly pairs: Snapshot;
}

/**
 * @param budgetBytes where the descent ends, weights included
 * @param measure step time of a level, ms; Infinity where it does not fit or is no better than the best so far
 * @returns whether it has come to where recomputation does without copies, or costs more than the best level
 */
export function descend(lives: Lives, budgetBytes: number, measure: (level: Descended) => number): boolean {
  const levels: Descended[] = [];
  const allMs = lives.model.ms.reduce((sum, ms) => sum + ms, 0);
  let [best, bestMs] = [-1, Number.POSITIVE_INFINITY];
  const look = (i: number): void => {
    const level = levels[i];
    const stepMs = level === undefined ? Number.POSITIVE_INFINITY : measure(level);
    if (stepMs < bestMs) [best, bestMs] = [i, stepMs];
  };
  let [lastMs, same, after] = [0, 0, 0];
  let isComplete = false;
  priceDescent(lives, budgetBytes, PATH, (price, fits) => {
    const { recomputeMs } = lives;
    if (recomputeMs === lastMs) return ++same < SAME;
    [lastMs, same] = [recomputeMs, 0];
    levels.push({ price: price.slice(), pairs: snapshot(lives) });
    if ((levels.length - 1) % STRIDE === 0) look(levels.length - 1);
    // Re-runs alone take longer than the best plan: more of them help nobody.
    if (fits || allMs + recomputeMs >= bestMs) isComplete = true;
    return allMs + recomputeMs < bestMs && !(fits && after++ >= AFTER);
  });
  const center = best < 0 ? levels.length - 1 : best;
  for (let away = 1; away < STRIDE; away++) for (const i of [center - away, center + away]) look(i);
  if (best < 0) return isComplete;
  // Halfway between the best and its neighbours.
  for (const i of [best, best + 1]) {
    const [low, high] = [levels[i - 1], levels[i]];
    if (low === undefined || high === undefined) continue;
    const price = low.price.map((ms, k) => Math.sqrt(ms * (high.price[k] as number)));
    restore(lives, low.pairs);
    measure({ price, pairs: decideAt(lives, price) });
  }
  return isComplete;
}

const PATH: PriceOptions = { ...FINE, growth: 2, sweeps: 1 };
/** Every so many levels are measured on the way. */
const STRIDE = 3;
/** Levels beyond the first that keeps the budget, and levels in a row at which nothing changes, that end the descent. */
const AFTER = 4;
const SAME = 20;
