/** The page of one training run: what `vdnn run` and `vdnn train` write. */
import { formatBytes, formatMs } from "../../units.ts";
import type { StepTrace, TraceHistory } from "../history.ts";
import type { IterationResult, PlanSummary, SessionReport } from "../result.ts";
import { modesText } from "../summary.ts";
import { limitsOf, stepChart, stepNoteOn, tierSeries } from "../step-view.ts";
import type { Column } from "../table.ts";
import type { Band } from "../time-chart.ts";
import { timeChartBlock } from "./charts.ts";
import { type Block, type Figure, type Page, type Section, tableBlock } from "./page.ts";

export interface SessionFacts {
  readonly title: string;
  readonly lead: readonly string[];
  readonly command: string;
  readonly report: SessionReport;
  readonly history: TraceHistory | null;
  /** What the command adds, before iterations and plans. */
  readonly sections?: readonly Section[];
}

export function sessionPage({ title, lead, command, report, history, sections = [] }: SessionFacts): Page {
  const { plans, warnings } = report;
  return {
    title,
    lead,
    source: "measured",
    command,
    figures: sessionFigures(report),
    sections: [
      ...(warnings.length === 0
        ? []
        : [{ title: "Warnings", blocks: [{ kind: "notes", notes: warnings, areWarnings: true } as const] }]),
      ...(history === null ? [] : stepSections(history, report)),
      ...sections,
      ...(history === null ? [] : [wholeSection(history, report)]),
      iterationsSection(report),
      ...(plans.length === 0 ? [] : [plansSection(plans)]),
    ],
  };
}

function sessionFigures(report: SessionReport): Figure[] {
  const { iterations, totals, deviceMemoryBytes, hostMemoryBytes, spill, policy, plans, backend } = report;
  const steady = iterations.length > 1 ? iterations.slice(1) : iterations;
  const typical = (value: (each: IterationResult) => number): number => middle(steady.map(value));
  const of = (bytes: number | null): string => (bytes === null ? "no budget" : `of ${formatBytes(bytes)} budget`);
  const chosen = [...new Set(plans.map((plan) => plan.policy))].filter((name) => name !== policy);
  const stallMs = typical((each) => each.stallMs);
  return [
    { label: "Device peak", value: formatBytes(report.peakDeviceBytes), note: of(deviceMemoryBytes) },
    ...(report.steadyPeakDeviceBytes === null
      ? []
      : [
          {
            label: "Device peak, planned",
            value: formatBytes(report.steadyPeakDeviceBytes),
            note: "once a plan is followed",
          },
        ]),
    { label: "Host peak", value: formatBytes(report.peakHostBytes), note: of(hostMemoryBytes) },
    ...(spill === null
      ? []
      : [{ label: "Spill peak", value: formatBytes(report.peakSpillBytes), note: `in ${spill}` }]),
    { label: "Step", value: formatMs(typical((each) => each.stepMs)), note: medianNote(report) },
    {
      label: "Moved per step",
      value: formatBytes(typical((each) => each.offloadBytes + each.prefetchBytes)),
      note: `stalled ${formatMs(stallMs)}`,
    },
    { label: "Iterations", value: String(totals.iterations), note: modesText(totals) },
    { label: "Policy", value: policy, note: [...chosen, `backend ${backend}`].join("; ") },
  ];
}

/** Of what the median is. */
function medianNote({ backend, iterations, totals }: SessionReport): string {
  const isWhole = iterations.length === totals.iterations;
  const median = isWhole ? "median without the first" : `median of ${iterations.length - 1} steps`;
  return backend === "webgpu" ? `${median}, until all of it is queued` : median;
}

const MODES: Readonly<Record<IterationResult["mode"], string>> = {
  recorded: "recorded, before there is a plan: data leaves only when the budget is near",
  planned: "following its plan",
  deviated: "which left its plan midway",
  stock: "stock TensorFlow.js, only metered",
};

/** The latest step first: it is what a long run is like. */
function stepSections({ steps }: TraceHistory, report: SessionReport): Section[] {
  return steps.toReversed().map((step, i) => stepSection(`step-${i + 1}`, step, report));
}

export function stepSection(
  id: string,
  step: StepTrace,
  {
    backend,
    deviceMemoryBytes,
    hostMemoryBytes,
  }: Pick<SessionReport, "backend" | "deviceMemoryBytes" | "hostMemoryBytes">,
  name = "",
): Section {
  const { index, mode, events, droppedEvents } = step;
  const title = `${name === "" ? "" : `${name}: `}iteration ${index + 1}, ${MODES[mode]}`;
  const chart = stepChart(title, events, { deviceBytes: deviceMemoryBytes, hostBytes: hostMemoryBytes });
  const dropped =
    droppedEvents > 0
      ? ` ${droppedEvents} events of this step, its last, are not shown: it had more than a report keeps.`
      : "";
  const about =
    chart.lanes.length === 0
      ? "Every change of the ledger. Kernels of stock TensorFlow.js are not timed."
      : stepNoteOn(backend);
  const blocks: Block[] = [{ kind: "text", text: `${about}${dropped}` }, timeChartBlock(id, chart)];
  return { title: name === "" ? upperFirst(title) : title, blocks };
}

/** More starts than this would hide what they separate. */
const MOST_BANDS = 60;

function wholeSection({ memory, resolutionMs, samples, startsMs }: TraceHistory, report: SessionReport): Section {
  const fromMs = memory[0]?.timeMs ?? 0;
  const endMs = (memory.at(-1)?.timeMs ?? 0) - fromMs;
  const separated = startsMs.length === report.totals.iterations && startsMs.length <= MOST_BANDS;
  const bands: Band[] = startsMs.map((start, i) => ({
    name: String(i + 1),
    fromMs: Math.max(0, start - fromMs),
    toMs: (startsMs[i + 1] ?? endMs + fromMs) - fromMs,
  }));
  const thinned =
    samples === memory.length
      ? `All ${samples} samples are in it.`
      : `Thinned from ${samples} samples to ${memory.length}: the highest of every ${formatMs(resolutionMs)}, so peaks are exact and valleys are not.`;
  const title = "Memory over the whole run";
  return {
    title,
    blocks: [
      { kind: "text", text: `${thinned} ${separated ? "Numbers are iterations." : ""}`.trim() },
      timeChartBlock("whole", {
        title,
        endMs,
        series: tierSeries(memory, fromMs),
        limits: limitsOf({ deviceBytes: report.deviceMemoryBytes, hostBytes: report.hostMemoryBytes }),
        bands: separated ? bands : [],
        lanes: [],
      }),
    ],
  };
}

const ITERATION_COLUMNS: readonly Column<IterationResult>[] = [
  { title: "iteration", align: "left", cell: ({ index }) => String(index + 1) },
  { title: "mode", align: "left", cell: ({ mode }) => mode },
  { title: "step", cell: ({ stepMs }) => formatMs(stepMs) },
  { title: "device peak", cell: ({ peakDeviceBytes }) => formatBytes(peakDeviceBytes) },
  { title: "host peak", cell: ({ peakHostBytes }) => formatBytes(peakHostBytes) },
  { title: "out", cell: ({ offloadBytes }) => formatBytes(offloadBytes) },
  { title: "in", cell: ({ prefetchBytes }) => formatBytes(prefetchBytes) },
  { title: "to spill", cell: ({ spillWriteBytes }) => formatBytes(spillWriteBytes) },
  { title: "from spill", cell: ({ spillReadBytes }) => formatBytes(spillReadBytes) },
  { title: "copying", cell: ({ copyMs }) => formatMs(copyMs) },
  { title: "stall", cell: ({ stallMs }) => formatMs(stallMs) },
  { title: "again", cell: ({ recomputeMs }) => formatMs(recomputeMs) },
  { title: "demand fetches", cell: ({ demandFetches }) => String(demandFetches) },
  { title: "kernels", cell: ({ kernels }) => String(kernels) },
];

/** Rows of the table; a long run has more iterations than anybody reads. */
const MOST_ROWS = 60;
const FIRST_ROWS = 20;

function iterationsSection({ iterations, totals }: SessionReport): Section {
  const hasSpill = totals.spillWriteBytes + totals.spillReadBytes > 0;
  const columns = hasSpill ? ITERATION_COLUMNS : ITERATION_COLUMNS.filter(({ title }) => !title.includes("spill"));
  const rows = sampled(iterations);
  const omitted = totals.iterations - iterations.length;
  const kept = omitted === 0 ? "all" : `the first and the newest, ${iterations.length} in all`;
  const left =
    rows.length === totals.iterations
      ? ""
      : ` ${rows.length} of ${totals.iterations} are shown: the first ${FIRST_ROWS}, then some` +
        `${omitted === 0 ? "" : " of the newest"}, evenly spaced, up to the last; --report out.json has ${kept}.`;
  return {
    title: "Iterations",
    blocks: [tableBlock(`Iterations as they were measured. again: recomputation.${left}`, columns, rows)],
  };
}

export function sampled<T>(all: readonly T[]): T[] {
  if (all.length <= MOST_ROWS) return [...all];
  const rest = MOST_ROWS - FIRST_ROWS;
  const spaced = Array.from({ length: rest }, (_, i) =>
    Math.round(FIRST_ROWS + ((all.length - 1 - FIRST_ROWS) * i) / (rest - 1)),
  );
  return [...all.slice(0, FIRST_ROWS), ...[...new Set(spaced)].map((i) => all[i] as T)];
}

const PLAN_COLUMNS: readonly Column<PlanSummary>[] = [
  { title: "plan", align: "left", cell: ({ policy }) => policy },
  { title: "kernels", cell: ({ kernels }) => String(kernels) },
  { title: "tensors offloaded", cell: ({ offloadedTensors }) => String(offloadedTensors) },
  { title: "kernels run again", cell: ({ recomputedKernels }) => String(recomputedKernels) },
  { title: "peak, predicted", cell: ({ predictedPeakDeviceBytes }) => formatBytes(predictedPeakDeviceBytes) },
  { title: "step, predicted", cell: ({ predictedStepMs }) => formatMs(predictedStepMs) },
  { title: "oracle", cell: ({ oracleMs }) => formatMs(oracleMs) },
  { title: "lower bound", cell: ({ lowerBoundMs }) => formatMs(lowerBoundMs) },
];

function plansSection(plans: readonly PlanSummary[]): Section {
  const rows = sampled(plans);
  const left = rows.length === plans.length ? "" : ` ${rows.length} of ${plans.length} are shown.`;
  return {
    title: "Plans",
    blocks: [
      tableBlock(
        "Predicted, not measured: what the planner expected of each. oracle: all kernels once, no copies. lower bound: no schedule of " +
          `these kernels under this budget is faster.${left}`,
        PLAN_COLUMNS,
        rows,
      ),
    ],
  };
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

function upperFirst(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
