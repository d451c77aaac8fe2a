/**
 * The largest size that works, found by trials: doubling, then bisection, then a check of the size behind it. What a size is and
 * how it is tried is the caller's; sizes are told apart by their place (rung) in ascending order. No clock, no I/O of its own.
 *
 *   rungs   0 1 2 3 4 5 6 7 8 9 ..        start 1:  1 yes, 3 yes, 7 no, 5 yes, 6 no, 6 again no: the answer is 5
 *
 * Bisection finds a place where "works" is followed by "does not", but no more than that: outcomes need not be monotone (one
 * more layer may divide memory better) nor the same twice. So the rungs behind the answer are tried again, and where one works
 * the search goes on upwards from there.
 */

export type TrialOutcome =
  | { readonly kind: "trains" }
  /** Out of memory: the answer that the search looks for. */
  | { readonly kind: "too-large"; readonly reason: string }
  /** Says nothing about memory. Bounds the search like the former, but does not end it with a verdict. */
  | { readonly kind: "timeout" | "crash"; readonly reason: string };

export interface LargestOptions {
  /** Number of rungs; at least 1. */
  readonly count: number;
  /** The rung that is tried first. Default 0. */
  readonly start?: number;
  /** A second trial of the same rung can only give the same outcome, so none is made. Default false. */
  readonly deterministic?: boolean;
  /** Rungs behind the answer that have to fail. Default 1. */
  readonly lookAhead?: number;
  /** Called before each trial. */
  readonly onTrial?: (rung: number, bounds: { readonly trains: number; readonly fails: number }) => void;
}

export interface Trial {
  readonly rung: number;
  readonly outcome: TrialOutcome;
}

export interface Largest {
  /** -1 where nothing works. */
  readonly rung: number;
  /** The outcome one rung further; null where there is none. */
  readonly next: TrialOutcome | null;
  /**
   * `verified`: works at `rung`, and is too large at the next. `range-end`: works at the last rung there is. `inconclusive`: the
   * next rung crashed or ran out of time, so the answer is "at least".
   */
  readonly verdict: "verified" | "range-end" | "inconclusive";
  /** In order, repetitions included. */
  readonly trials: readonly Trial[];
}

export async function findLargest(
  trial: (rung: number) => TrialOutcome | Promise<TrialOutcome>,
  options: LargestOptions,
): Promise<Largest> {
  const { count, deterministic = false, lookAhead = 1, onTrial } = options;
  const trials: Trial[] = [];
  const known = new Map<number, TrialOutcome>();
  /** The highest rung known to work, and the lowest above it known not to; `count` where none is. */
  const bounds = { trains: -1, fails: count };

  const attempt = async (rung: number): Promise<TrialOutcome> => {
    onTrial?.(rung, { ...bounds });
    const outcome = await trial(rung);
    trials.push({ rung, outcome });
    known.set(rung, outcome);
    return outcome;
  };
  const place = async (rung: number): Promise<void> => {
    const { kind } = await attempt(rung);
    bounds[kind === "trains" ? "trains" : "fails"] = rung;
  };
  /** From the highest that works upwards in growing steps, until something fails or the rungs end. */
  const climb = async (firstStep: number): Promise<void> => {
    for (let step = firstStep; bounds.fails === count && bounds.trains < count - 1; step *= 2) {
      await place(Math.min(bounds.trains + step, count - 1));
    }
  };
  const bisect = async (): Promise<void> => {
    while (bounds.fails - bounds.trains > 1) await place((bounds.trains + bounds.fails) >> 1);
  };
  /** A rung not far behind the answer that works after all; -1 where none does. */
  const worksBehind = async (answer: number): Promise<number> => {
    for (let rung = answer + 1; rung <= Math.min(answer + lookAhead, count - 1); rung++) {
      const outcome = deterministic ? (known.get(rung) ?? (await attempt(rung))) : await attempt(rung);
      if (outcome.kind === "trains") return rung;
    }
    return -1;
  };

  const start = Math.min(Math.max(options.start ?? 0, 0), count - 1);
  await place(start);
  if (bounds.trains === start) await climb(start + 1);
  else while (bounds.trains < 0 && bounds.fails > 0) await place(bounds.fails >> 1);
  await bisect();

  // Every round ends the search or raises the highest that works.
  for (;;) {
    const higher = await worksBehind(bounds.trains);
    if (higher < 0) break;
    Object.assign(bounds, { trains: higher, fails: count });
    await climb(1);
    await bisect();
  }
  const next = known.get(bounds.trains + 1) ?? null;
  return { rung: bounds.trains, next, verdict: verdictOf(next), trials };
}

function verdictOf(next: TrialOutcome | null): Largest["verdict"] {
  if (next === null) return "range-end";
  return next.kind === "too-large" ? "verified" : "inconclusive";
}
