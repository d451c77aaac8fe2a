/**
 * The iterations of a session in bounded memory, however long it trains: totals over all of them, and in detail the first and the
 * newest. A step of a long training is like the one before it, and the first ones, which record and plan, are not.
 */
import { Ends } from "./ends.ts";
import type { IterationResult, IterationTotals, SessionReport } from "./result.ts";

/** Kept in detail. */
const FIRST = 20;
const NEWEST = 1000;

const NONE: IterationTotals = {
  iterations: 0,
  modes: {},
  stepMs: 0,
  offloadBytes: 0,
  prefetchBytes: 0,
  spillWriteBytes: 0,
  spillReadBytes: 0,
  copyMs: 0,
  stallMs: 0,
  recomputeMs: 0,
  demandFetches: 0,
  kernels: 0,
};

/** What a report says of iterations. */
export type IterationFacts = Pick<
  SessionReport,
  "totals" | "iterations" | "steadyPeakDeviceBytes" | "laterPeakDeviceBytes"
>;

export class IterationRecorder {
  readonly #kept = new Ends<IterationResult>(FIRST, NEWEST);
  #totals = NONE;
  /** Over iterations that followed a plan, and over all but the first. */
  #steady: number | null = null;
  #later: number | null = null;

  get facts(): IterationFacts {
    return {
      totals: this.#totals,
      iterations: this.#kept.items,
      steadyPeakDeviceBytes: this.#steady,
      laterPeakDeviceBytes: this.#later,
    };
  }

  add(iteration: IterationResult): void {
    const { mode, peakDeviceBytes } = iteration;
    if (mode === "planned") this.#steady = Math.max(this.#steady ?? 0, peakDeviceBytes);
    if (this.#totals.iterations > 0) this.#later = Math.max(this.#later ?? 0, peakDeviceBytes);
    this.#kept.add(iteration);
    this.#totals = sumOf(this.#totals, iteration);
  }
}

/** Totals of iterations that are at hand. */
export function totalsOf(iterations: readonly IterationResult[]): IterationTotals {
  return iterations.reduce(sumOf, NONE);
}

function sumOf({ iterations, modes, ...sums }: IterationTotals, iteration: IterationResult): IterationTotals {
  const { mode } = iteration;
  for (const field of Object.keys(sums) as (keyof typeof sums)[]) sums[field] += iteration[field];
  return { ...sums, iterations: iterations + 1, modes: { ...modes, [mode]: (modes[mode] ?? 0) + 1 } };
}
