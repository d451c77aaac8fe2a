/**
 * What was measured, as data. Renderers print these; nothing here computes. Everything is measured unless `source` says
 * otherwise.
 */

export type Lane = "compute" | "offload" | "prefetch" | "spill-write" | "spill-read" | "stall";

/** One thing that happened, on one lane. Times are ms since the session began. */
export interface LaneEvent {
  readonly kind: "span";
  readonly lane: Lane;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly layer?: string;
  readonly pass?: "forward" | "backward" | "update";
  readonly bytes?: number;
  readonly iteration: number;
}

/** A sample of the memory counters. */
export interface CounterEvent {
  readonly kind: "counter";
  readonly timeMs: number;
  readonly deviceBytes: number;
  readonly hostBytes: number;
  readonly spillBytes: number;
}

export type TraceEvent = LaneEvent | CounterEvent;

/** One training iteration as it ran. */
export interface IterationResult {
  readonly index: number;
  /** `recorded`: reactive and recorded, no plan yet. `planned`: the plan fitted throughout. `deviated`: left its plan midway. */
  readonly mode: "recorded" | "planned" | "deviated" | "stock";
  /** Wall time of forward, backward and update, ms. */
  readonly stepMs: number;
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
  /** Device to host, bytes. */
  readonly offloadBytes: number;
  /** Host to device, bytes; includes demand fetches. */
  readonly prefetchBytes: number;
  readonly spillWriteBytes: number;
  readonly spillReadBytes: number;
  /** Time the compute thread spent copying between device and host, ms. */
  readonly copyMs: number;
  /** Time the compute thread waited for a stream, ms. */
  readonly stallMs: number;
  /** Tensors that a kernel needed and that no plan step had brought back. */
  readonly demandFetches: number;
  /** Kernels of other code that ran while the step waited for copies, on backends that cannot block. */
  readonly foreignKernels?: number;
  readonly recomputeMs: number;
  readonly kernels: number;
}

/** Sums over all iterations of a session; bytes and ms as in `IterationResult`. */
export interface IterationTotals extends Pick<
  IterationResult,
  | "stepMs"
  | "offloadBytes"
  | "prefetchBytes"
  | "spillWriteBytes"
  | "spillReadBytes"
  | "copyMs"
  | "stallMs"
  | "recomputeMs"
  | "demandFetches"
  | "kernels"
> {
  /** How many there were. */
  readonly iterations: number;
  /** How many of them ran in each mode. */
  readonly modes: Readonly<Partial<Record<IterationResult["mode"], number>>>;
}

/** What `session.report()` returns; `vdnn-report/2` as JSON. Its size does not grow with the number of iterations. */
export interface SessionReport {
  readonly schema: "vdnn-report/2";
  readonly source: "measured";
  readonly backend: string;
  readonly policy: string;
  readonly deviceMemoryBytes: number | null;
  readonly hostMemoryBytes: number | null;
  readonly spill: string | null;
  /** Over all iterations. */
  readonly totals: IterationTotals;
  /**
   * In detail, ascending by `index`: all iterations of a session of at most 1,020, the first 20 and the newest 1,000 of a longer one.
   * `onIteration` is told each of them.
   */
  readonly iterations: readonly IterationResult[];
  /** Peaks over the whole session, first iteration included. */
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
  readonly peakSpillBytes: number;
  /** Peak over planned iterations alone: what a long run needs. Null before the first. */
  readonly steadyPeakDeviceBytes: number | null;
  /** Peak over all iterations but the first, which runs before there is a plan. Null before the second. */
  readonly laterPeakDeviceBytes: number | null;
  /** Of the plans that are kept for the iterations to come, at most 32, the one used last first. */
  readonly plans: readonly PlanSummary[];
  /** At most 100: the first and the newest of more. */
  readonly warnings: readonly string[];
}

export interface PlanSummary {
  readonly signature: string;
  readonly kernels: number;
  /** Policy that made it; `vdnn-dyn` names its choice, such as `vdnn-dyn: vdnn-conv`. */
  readonly policy: string;
  readonly offloadedTensors: number;
  readonly recomputedKernels: number;
  readonly predictedPeakDeviceBytes: number;
  /** What the planner expects of a step, the sum of its kernels' times, and what no plan can go below; ms. */
  readonly predictedStepMs: number;
  readonly oracleMs: number;
  readonly lowerBoundMs: number;
}
