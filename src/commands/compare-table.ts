/** What `vdnn compare` prints: a table with a caption, or one JSON document (`vdnn-compare/1`). */
import { type Column, renderTable } from "../report/table.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { BudgetLine, CompareRow, Comparison } from "./comparison.ts";

type Cell = Column<CompareRow>;

export function renderComparison(comparison: Comparison): string {
  const { budgets, rows } = comparison;
  const tables = budgets.flatMap((budget) => {
    const own = rows.filter(({ budgetBytes }) => budgetBytes === budget.deviceBytes);
    return [budgetText(budget, comparison), ...renderTable(columns(comparison), own), ""];
  });
  return [...heading(comparison), "", ...tables, ...caption(comparison), ""].join("\n");
}

export function budgetText({ text, deviceBytes, lowerBoundMs }: BudgetLine, { reference }: Comparison): string {
  const share = text.endsWith("%") ? ` (${text} of ${reference})` : "";
  const bound = lowerBoundMs === null ? "" : `, lower bound ${formatMs(lowerBoundMs)}`;
  return `budget ${formatBytes(deviceBytes)}${share}${bound}`;
}

/** Columns in which no row has anything to say are left out, and those for all tables alike. */
export function columns({ rows }: Comparison): Cell[] {
  const bytes = (title: string, value: (row: CompareRow) => number | null): Cell => figure(title, value, formatBytes);
  const ms = (title: string, value: (row: CompareRow) => number | null): Cell => figure(title, value, formatMs);
  const percent = (value: number): string => `${(value * 100).toFixed(0)}%`;
  const all: readonly (readonly [Cell, (row: CompareRow) => unknown])[] = [
    [{ title: "policy", align: "left", cell: ({ policy }) => policy }, () => true],
    [ms("step", ({ stepMs }) => stepMs), () => true],
    [
      figure(
        "x oracle",
        ({ ratio }) => ratio,
        (value) => value.toFixed(3),
      ),
      () => true,
    ],
    [bytes("peak", (row) => (row.outcome === "trains" ? row.peakDeviceBytes : null)), () => true],
    [bytes("out", ({ offloadBytes }) => offloadBytes), ({ offloadBytes }) => offloadBytes],
    [bytes("in", ({ prefetchBytes }) => prefetchBytes), ({ prefetchBytes }) => prefetchBytes],
    [ms("stall", ({ stallMs }) => stallMs), () => true],
    [figure("overlap", ({ overlap }) => overlap, percent), ({ overlap }) => overlap !== null],
    [ms("again", ({ recomputeMs }) => recomputeMs), ({ recomputeMs }) => recomputeMs],
    [figure("energy mJ", energyPj, (pj) => (pj / 1e9).toFixed(1)), energyPj],
    [{ title: "", align: "left", cell: noteText }, () => true],
  ];
  return all.flatMap(([column, value]) => (rows.some((row) => Boolean(value(row))) ? [column] : []));
}

function figure(title: string, value: (row: CompareRow) => number | null, format: (value: number) => string): Cell {
  return {
    title,
    cell: (row) => {
      const number = value(row);
      return number === null ? "" : format(number);
    },
  };
}

function energyPj({ copyPj, recomputePj }: CompareRow): number | null {
  return copyPj === null ? null : copyPj + (recomputePj ?? 0);
}

const REASON_CHARACTERS = 60;

function noteText({ chosen, outcome, reason = "", identical }: CompareRow): string {
  const short = reason.length > REASON_CHARACTERS ? `${reason.slice(0, REASON_CHARACTERS - 1)}…` : reason;
  if (outcome === "too-large") return `does not fit: ${short}`;
  if (outcome !== "trains") return `${outcome === "crash" ? "CRASHED" : "TIMED OUT"}: ${short}`;
  return [chosen, identical === false ? "OTHER BITS THAN STOCK" : ""].filter(Boolean).join(", ");
}

function heading({ subject, machine, baselines, oracleMs, source }: Comparison): string[] {
  const peaks = baselines.map(({ name, peakDeviceBytes, stepMs }) => {
    const time = source === "measured" && stepMs !== null ? `, ${formatMs(stepMs)}` : "";
    return `${name} ${formatBytes(peakDeviceBytes)}${time}`;
  });
  return [
    subject,
    machine,
    `without a budget: ${peaks.join(source === "measured" ? "; " : ", ")}; oracle ${formatMs(oracleMs)}`,
  ];
}

/** Rounds of the same runs that differ by more than this say that something else kept the machine busy. */
const BUSY_RATIO = 1.25;

export function caption({ source, backend, energy, rows, oracleRoundsMs = [] }: Comparison): string[] {
  const energyText =
    `energy: of copies (${energy.devicePj} pJ per ${energy.wordBytes * 8}-bit word in device memory, ${energy.hostPj} in host memory` +
    `${energy.linkPj > 0 ? `, ${energy.linkPj} on the link` : "; the link is not counted"})`;
  if (source === "measured") {
    const bits = rows.every(({ identical }) => identical !== false);
    return [
      "Measured. step: median of the steps of all runs but the first three, which plan; x oracle: median of the rounds' ratios; peak: of all steps.",
      "oracle: the faster of stock and liveness, which run without a budget and fit where their peak does.",
      backend === "webgpu"
        ? "Device copies run on the device's queue; how much of them runs beside kernels is not measured here."
        : "Device copies run on the training thread: there is no overlap.",
      `${energyText}. ${bits ? "Losses and weights have the bits of stock in every run." : "NOT ALL RUNS HAVE THE BITS OF STOCK."}`,
      ...busyText(oracleRoundsMs),
    ];
  }
  return [
    "Simulated; nothing ran. oracle: all kernels once, no copies. lower bound: no schedule of these kernels under that budget is",
    "faster. stock: nothing is freed before the iteration ends. network-wide: the vDNN paper's baseline. overlap: share of the",
    "copies' time during which a kernel ran. again: recomputation.",
    `${energyText}, and of recomputation's operands.`,
  ];
}

function busyText(roundsMs: readonly number[]): string[] {
  const [least, most] = [Math.min(...roundsMs), Math.max(...roundsMs)];
  if (roundsMs.length === 0 || most <= least * BUSY_RATIO) return [];
  return [
    `The oracle's own rounds took from ${formatMs(least)} to ${formatMs(most)} per step: the machine was busy, and times are rough.`,
  ];
}

export function compareJson(comparison: Comparison): string {
  return `${JSON.stringify({ schema: "vdnn-compare/1", ...comparison })}\n`;
}
