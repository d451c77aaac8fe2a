/** Figures of a run that views share. Pure. */
import type { RunState, State } from "./state.ts";

/**
 * Median of the later half of the steps: the first ones compile kernels, and vdnn records and plans in them. Null before the
 * second step.
 */
export function typicalStepMs(run: RunState | undefined): number | null {
  const steps = run?.steps ?? [];
  if (steps.length < 2) return null;
  const times = steps.slice(steps.length >> 1).map(({ wallMs }) => wallMs);
  return median(times);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The most that tensors took on the device, by the session's ledger; null without a session. */
export function peakInUseBytes(run: RunState | undefined): number | null {
  const peaks = (run?.steps ?? []).flatMap(({ iteration }) => (iteration === null ? [] : [iteration.peakDeviceBytes]));
  return peaks.length === 0 ? null : Math.max(...peaks);
}

export function peakHostBytes(run: RunState | undefined): number {
  return Math.max(
    run?.memory?.hostBytes ?? 0,
    ...(run?.steps ?? []).map(({ iteration }) => iteration?.peakHostBytes ?? 0),
  );
}

export function peakAllocatedBytes(run: RunState | undefined): number | null {
  return run?.memory?.peakAllocatedBytes ?? null;
}

/** Bytes between device and host in a typical step, both ways; null before the second. */
export function movedBytes(run: RunState | undefined): number | null {
  const moved = (run?.steps ?? [])
    .slice(1)
    .flatMap(({ iteration }) => (iteration === null ? [] : [iteration.offloadBytes + iteration.prefetchBytes]));
  return moved.length === 0 ? null : median(moved);
}

export interface BitComparison {
  readonly same: boolean;
  readonly steps: number;
  readonly parameters: number;
}

/** Losses and weights of two runs after the same steps; null until both have come that far, or on different backends. */
export function compareBits(stock: RunState | undefined, run: RunState | undefined): BitComparison | null {
  const [expected, found] = [stock?.fingerprint ?? null, run?.fingerprint ?? null];
  if (expected === null || found === null || expected.steps !== found.steps) return null;
  if (stock?.facts?.backend !== run?.facts?.backend) return null;
  const sameLosses = expected.losses.every((loss, i) => Object.is(loss, found.losses[i]));
  return {
    same: sameLosses && expected.hash === found.hash,
    steps: found.steps,
    parameters: run?.facts?.parameters ?? 0,
  };
}

/** The run that the page is about now: the one that goes on, else vdnn's, else whatever there is. */
export function shownRun({ runs, active }: State): RunState | undefined {
  return (active === null ? undefined : runs[active]) ?? runs.vdnn ?? runs.reference ?? runs.limited;
}
