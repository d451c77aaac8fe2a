/** A session report in a few lines for people: what a run used and moved. What it saved is not in it: that takes a comparison. */
import { formatBytes, formatMs } from "../units.ts";
import type { IterationTotals, SessionReport } from "./result.ts";

/** The lines of the summary, without the program's name in front. */
export function renderSummary(report: SessionReport): string[] {
  const { backend, policy, totals, warnings } = report;
  const { offloadBytes, prefetchBytes, spillWriteBytes, spillReadBytes, stallMs, demandFetches } = totals;
  return [
    `policy ${policy}${plansText(report)} on backend ${backend}, ${iterationsText(totals)}`,
    memoryText(report),
    `moved ${formatBytes(offloadBytes)} out and ${formatBytes(prefetchBytes)} in` +
      (spillWriteBytes + spillReadBytes === 0
        ? ""
        : `, ${formatBytes(spillWriteBytes)} to and ${formatBytes(spillReadBytes)} from the spill file`) +
      `; stalled ${formatMs(stallMs)}; ${count(demandFetches, "demand fetch", "demand fetches")}`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}

/** What a reader of a record has to know of its kernels' times; empty where nothing. */
export function recordedTimesNote(backend: string): string {
  return backend === "webgpu" ? "; its kernel times are those of queueing, as the device computes later" : "";
}

function plansText({ policy, plans }: SessionReport): string {
  const chosen = [...new Set(plans.map((plan) => plan.policy))].filter((name) => name !== policy);
  return chosen.length === 0 ? "" : ` (${chosen.join("; ")})`;
}

function iterationsText(totals: IterationTotals): string {
  const modes = modesText(totals);
  return `${count(totals.iterations, "iteration", "iterations")}${modes === "" ? "" : ` (${modes})`}`;
}

/** How many iterations ran in which mode. */
export function modesText({ modes }: IterationTotals): string {
  return Object.entries(modes)
    .map(([mode, times]) => `${times} ${mode}`)
    .join(", ");
}

function memoryText(report: SessionReport): string {
  const { deviceMemoryBytes, hostMemoryBytes, peakDeviceBytes, peakHostBytes, peakSpillBytes, spill } = report;
  const { steadyPeakDeviceBytes } = report;
  return (
    `device peak ${formatBytes(peakDeviceBytes)} ${budgetText(deviceMemoryBytes)}` +
    (steadyPeakDeviceBytes === null ? "" : `, ${formatBytes(steadyPeakDeviceBytes)} once planned`) +
    `; host peak ${formatBytes(peakHostBytes)} ${budgetText(hostMemoryBytes)}` +
    (spill === null ? "" : `; spill peak ${formatBytes(peakSpillBytes)} in ${spill}`)
  );
}

function budgetText(bytes: number | null): string {
  return bytes === null ? "(no budget)" : `of ${formatBytes(bytes)}`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
