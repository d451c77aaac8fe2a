/**
 * Steps of a run that are like all that follow. The first is recorded, the second is timed and planned with those times, and in the
 * third the garbage of planning is collected on the cores that run the kernels.
 */
const UNSETTLED = 3;

/** @returns all but the first three; of fewer steps, the last */
export function settledSteps<T>(steps: readonly T[]): readonly T[] {
  return steps.slice(Math.max(0, Math.min(UNSETTLED, steps.length - 1)));
}
