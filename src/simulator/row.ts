/** One simulated iteration as a row of figures, and what the row was made from. */
import { VdnnError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Machine } from "../plan/policy.ts";
import { managedByVdnn, type NetworkWide } from "./accounting.ts";
import { occupancy, type Sample } from "./occupancy.ts";
import type { PaperSetting } from "./paper.ts";
import type { TimedRun } from "./timed-steps.ts";

/** One row of a simulation. */
export interface SimulatedRun {
  readonly policy: string;
  /** The policy's choice where it made one: `conv`, `vdnn-dyn: liveness`. */
  readonly chosen: string;
  /** `m`, `g`, `p`, `greedy`, or `p in parts`: p with less workspace where room is short (room.ts). */
  readonly algorithm: string;
  readonly fits: boolean;
  readonly stepMs: number;
  readonly stallMs: number;
  readonly recomputeMs: number;
  /** No schedule of these kernels on this machine is faster, as far as the policy could prove; at least all kernels once. */
  readonly lowerBoundMs: number;
  /** Step time over the oracle's. */
  readonly ratio: number;
  /** Share of the oracle's speed that is lost: 1 - 1 / ratio. */
  readonly loss: number;
  readonly peakDeviceBytes: number;
  readonly averageDeviceBytes: number;
  /** See Note [Average memory] in accounting.ts. */
  readonly averageManagedBytes: number;
  /** 1 - averageManagedBytes / network-wide. */
  readonly averageSaving: number;
  readonly peakHostBytes: number;
  readonly offloadBytes: number;
  /** Convolution kernels that do not run by p. */
  readonly downgraded: number;
}

/** A row with what it was made from. */
export interface DetailedRun {
  readonly result: SimulatedRun;
  readonly graph: Graph;
  readonly run: TimedRun;
  readonly samples: readonly Sample[];
}

/** What all rows have in common. */
export interface Setting extends PaperSetting {
  readonly oracleMs: number;
  readonly networkWide: NetworkWide;
}

/** @param algorithm as the row is to name it */
export function rowOf(
  policy: string,
  chosen: string,
  algorithm: string,
  setting: Setting,
  graph: Graph,
  run: TimedRun,
  fits: boolean,
): DetailedRun {
  const { work, oracleMs } = setting;
  const whole = occupancy(graph, run);
  const managed = occupancy(graph, run, managedByVdnn(work));
  const recomputeMs = run.steps.reduce(
    (sum, { step, startMs, endMs }) => sum + (step.kind === "recompute" ? endMs - startMs : 0),
    0,
  );
  const result: SimulatedRun = {
    policy,
    chosen,
    algorithm,
    fits,
    stepMs: run.stepMs,
    stallMs: run.stallMs,
    recomputeMs,
    lowerBoundMs: graph.kernels.reduce((sum, { ms }) => sum + ms, 0),
    ratio: run.stepMs / oracleMs,
    loss: 1 - oracleMs / run.stepMs,
    peakDeviceBytes: whole.peakDeviceBytes,
    averageDeviceBytes: whole.averageDeviceBytes,
    averageManagedBytes: managed.averageDeviceBytes,
    averageSaving: 1 - managed.averageDeviceBytes / setting.networkWide.totalBytes,
    peakHostBytes: whole.peakHostBytes,
    offloadBytes: whole.offloadBytes,
    downgraded: 0,
  };
  return { result, graph, run, samples: whole.samples };
}

/** The error for a policy whose plan exceeds a budget. */
export function doesNotFit(
  { policy, peakDeviceBytes, peakHostBytes }: SimulatedRun,
  { deviceBytes, hostBytes }: Machine,
  text: (bytes: number) => string,
): VdnnError {
  const isDevice = peakDeviceBytes > deviceBytes;
  const [needed, budget] = isDevice ? [peakDeviceBytes, deviceBytes] : [peakHostBytes, hostBytes];
  const what = isDevice ? "device" : "host";
  return new VdnnError(
    isDevice ? "ERR_OUT_OF_MEMORY" : "ERR_HOST_MEMORY",
    `${policy} needs ${text(needed)} of ${what} memory, but the budget is ${text(budget)}; lower the batch, ` +
      `raise --${what}-memory, or see what other policies need: leave out --policy`,
    { policy, peakDeviceBytes, peakHostBytes, deviceBytes, hostBytes },
  );
}
