/** Plans as a table, and in a sentence each. */
import type { Prediction } from "../plan/plan.ts";
import { formatBytes, formatMs } from "../units.ts";
import { type Column, renderTable } from "./table.ts";

/** What a plan does beyond its prediction; counted, not guessed. */
export interface PlanTotals {
  readonly peakSpillBytes: number;
  readonly prefetchBytes: number;
  readonly spillWriteBytes: number;
  readonly spillReadBytes: number;
  /** Kernels that run, again included. */
  readonly kernelRuns: number;
}

export interface PlanRow {
  readonly policy: string;
  readonly fits: boolean;
  /** The rule that it breaks, beyond budgets: a defect of the policy. It does not fit then. */
  readonly flaw?: string;
  readonly predicted: Prediction;
  readonly totals: PlanTotals;
}

const COLUMNS: readonly Column<PlanRow>[] = [
  { title: "policy", align: "left", cell: ({ policy }) => policy },
  { title: "fits", align: "left", cell: ({ fits, flaw }) => (fits ? "yes" : flaw === undefined ? "NO" : "INVALID") },
  { title: "step", cell: ifFits(({ predicted }) => formatMs(predicted.stepMs)) },
  { title: "x oracle", cell: ifFits(({ predicted }) => (predicted.stepMs / predicted.oracleMs).toFixed(3)) },
  { title: "from optimal", cell: ifFits(({ predicted }) => `<= ${gapText(predicted)}`) },
  { title: "peak device", cell: ({ predicted }) => formatBytes(predicted.peakDeviceBytes) },
  { title: "host", cell: ({ predicted }) => formatBytes(predicted.peakHostBytes) },
  { title: "spill", cell: ({ totals }) => formatBytes(totals.peakSpillBytes) },
  { title: "out", cell: ({ predicted }) => formatBytes(predicted.offloadBytes) },
  { title: "in", cell: ({ totals }) => formatBytes(totals.prefetchBytes) },
  { title: "again", cell: ({ predicted }) => formatMs(predicted.recomputeMs) },
  { title: "stall", cell: ifFits(({ predicted }) => formatMs(predicted.stallMs)) },
  { title: "kernels", cell: ({ totals }) => String(totals.kernelRuns) },
];

export function renderPlans(rows: readonly PlanRow[]): string[] {
  return renderTable(planColumns(rows), rows);
}

export function planColumns(rows: readonly PlanRow[]): readonly Column<PlanRow>[] {
  // Most machines have no spill tier, and a column of zeros says nothing.
  const hasSpill = rows.some(({ totals }) => totals.peakSpillBytes > 0);
  return hasSpill ? COLUMNS : COLUMNS.filter(({ title }) => title !== "spill");
}

/** `auto: step 1.043 x oracle, at most 1.2 % from optimal`. */
export function planSentence({ policy, predicted }: PlanRow): string {
  const { stepMs, oracleMs } = predicted;
  return `${policy}: step ${(stepMs / oracleMs).toFixed(3)} × oracle, ${optimalText(predicted)}`;
}

function optimalText(predicted: Prediction): string {
  return predicted.stepMs <= predicted.lowerBoundMs * (1 + 1e-9)
    ? "optimal"
    : `at most ${gapText(predicted)} from optimal`;
}

function gapText({ stepMs, lowerBoundMs }: Prediction): string {
  return `${(Math.max(0, stepMs / lowerBoundMs - 1) * 100).toFixed(1)} %`;
}

/** What does not fit has no time: it never runs. */
function ifFits(cell: (row: PlanRow) => string): (row: PlanRow) => string {
  return (row) => (row.fits ? cell(row) : "-");
}
