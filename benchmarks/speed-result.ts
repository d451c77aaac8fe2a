/** The result of benchmarks/speed.ts, and its table. */
import type { IterationResult } from "../src/report/result.ts";
import { formatBytes } from "../src/units.ts";
import { type Environment, median, type Summary, type Table } from "./harness.ts";
import type { SessionSettings } from "./trial.ts";
import { describeWorkload, type Workload } from "./workloads.ts";

export const SPEED_MODES = ["liveness", "budget", "half", "offload-ram", "offload-disk", "checkpoint"] as const;
export type SpeedMode = (typeof SPEED_MODES)[number];

export interface SpeedRow {
  readonly mode: SpeedMode | "stock";
  readonly session: SessionSettings | null;
  /** Wall time of measured steps, reading the loss included. */
  readonly stepMs: Summary;
  /** One per round: median step of the mode over the median step of stock. */
  readonly ratio: Summary;
  /** Fastest step over stock's fastest step. */
  readonly ratioOfMins: number;
  /** What the session said of each measured step; empty for stock. */
  readonly iterations: readonly IterationResult[];
  /** Why the mode did not run, such as a budget that the net does not fit; it then has no samples. */
  readonly failure: string | null;
}

export interface SpeedNet {
  readonly workload: Workload;
  readonly stockPeakBytes: number;
  readonly livenessPeakBytes: number;
  /** Of vdnn-all. */
  readonly offloadPeakBytes: number;
  readonly rows: readonly SpeedRow[];
}

export interface SpeedResult {
  readonly schema: "vdnn-bench-speed/1";
  readonly question: string;
  readonly environment: Environment;
  readonly rounds: number;
  readonly steps: number;
  readonly warmup: number;
  readonly budgetPercent: number;
  readonly hostPercent: number;
  readonly nets: readonly SpeedNet[];
}

export function speedTables({ nets, rounds, steps, budgetPercent, hostPercent }: SpeedResult): Table[] {
  return nets.map(({ workload, rows }) => ({
    caption:
      `Step time of ${describeWorkload(workload)}, measured: ${rounds} interleaved rounds of ${steps} steps, ratios to stock in ` +
      `the same round. budget: ${policyOf(rows, "budget")} at ${budgetPercent} % of stock's peak; half: ${policyOf(rows, "half")} halfway between the peaks of liveness ` +
      "and vdnn-all; offload-ram and offload-disk: every feature map leaves (vdnn-all), to disk with host memory for " +
      `${hostPercent} % of it. Copy, stall and bytes are medians per step.`,
    header: ["mode", "ratio", "min", "max", "median ms", "min ms", "copy ms", "stall ms", "offloaded", "to disk"],
    rows: rows.map(cells),
  }));
}

function policyOf(rows: readonly SpeedRow[], mode: SpeedMode): string {
  return rows.find((row) => row.mode === mode)?.session?.policy ?? "not run";
}

function cells({ mode, ratio, stepMs, iterations, failure }: SpeedRow): string[] {
  if (failure !== null) return [mode, "failed", "", "", "", "", "", "", "", ""];
  const ratios = [ratio.median, ratio.min, ratio.max].map((value) => value.toFixed(3));
  const times = [stepMs.median, stepMs.min].map((value) => value.toFixed(1));
  if (iterations.length === 0) return [mode, ...ratios, ...times, "", "", "", ""];
  const typical = (key: "copyMs" | "stallMs" | "offloadBytes" | "spillWriteBytes"): number =>
    median(iterations.map((iteration) => iteration[key]));
  const moved = [formatBytes(typical("offloadBytes")), formatBytes(typical("spillWriteBytes"))];
  return [mode, ...ratios, ...times, typical("copyMs").toFixed(1), typical("stallMs").toFixed(1), ...moved];
}
