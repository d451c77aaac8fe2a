/** What `vdnn compare` finds out, as data: planned or measured, the same types. */
import type { BackendName } from "../backends/load.ts";
import type { EnergyTable } from "../simulator/energy-data.ts";
import type { TrialOutcome } from "./largest.ts";

/** Memory and time without a budget. */
export interface Baseline {
  readonly name: string;
  readonly peakDeviceBytes: number;
  /** Null where it is only a count of bytes. */
  readonly stepMs: number | null;
}

export interface BudgetLine {
  /** As it was given: `25%`, `512MiB`. */
  readonly text: string;
  readonly deviceBytes: number;
  /** No schedule of these kernels under this budget is faster. Null where none is known. */
  readonly lowerBoundMs: number | null;
}

/** One policy under one budget. Figures are null where it does not train, or where nothing can tell them. */
export interface CompareRow {
  readonly policy: string;
  /** The choice it made, or the algorithm of convolutions. */
  readonly chosen: string;
  readonly budgetBytes: number;
  readonly outcome: TrialOutcome["kind"];
  readonly reason?: string;
  readonly stepMs: number | null;
  /** Of the oracle's step time; measured, the median of the rounds' ratios. */
  readonly ratio: number | null;
  /** What it needs, where it does not fit. */
  readonly peakDeviceBytes: number | null;
  readonly peakHostBytes: number | null;
  readonly offloadBytes: number | null;
  readonly prefetchBytes: number | null;
  readonly stallMs: number | null;
  /** Share of the copies' time during which a kernel ran. */
  readonly overlap: number | null;
  readonly recomputeMs: number | null;
  readonly copyPj: number | null;
  readonly recomputePj: number | null;
  /** Measured: every step that counts, of all rounds, ms. */
  readonly samplesMs?: readonly number[];
  /** Measured: losses and weights have the bits of stock. */
  readonly identical?: boolean;
}

export interface Comparison {
  readonly source: "simulated" | "measured";
  /** In words: network and batch, or the graph's name. */
  readonly subject: string;
  readonly machine: string;
  /** Measured: what the runs trained on. */
  readonly backend?: BackendName;
  readonly energy: EnergyTable;
  readonly baselines: readonly Baseline[];
  readonly oracleMs: number;
  /** Measured: the oracle's median step in each round. */
  readonly oracleRoundsMs?: readonly number[];
  /** What percentages are of. */
  readonly reference: string;
  readonly budgets: readonly BudgetLine[];
  /** Budget by budget, policies in the order of the tables. */
  readonly rows: readonly CompareRow[];
}

export const NOTHING: Omit<CompareRow, "policy" | "chosen" | "budgetBytes" | "outcome"> = {
  stepMs: null,
  ratio: null,
  peakDeviceBytes: null,
  peakHostBytes: null,
  offloadBytes: null,
  prefetchBytes: null,
  stallMs: null,
  overlap: null,
  recomputeMs: null,
  copyPj: null,
  recomputePj: null,
};
