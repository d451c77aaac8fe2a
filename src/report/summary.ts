/** A session report in a few lines for people: what a run used and moved. What it saved is not in it: that takes a comparison. */
import { formatBytes, formatMs } from "../units.ts";
import type { IterationResult, SessionReport } from "./result.ts";

type Total = "offloadBytes" | "prefetchBytes" | "spillWriteBytes" | "spillReadBytes" | "stallMs" | "demandFetches";

/** The lines of the summary, without the program's name in front. */
export function renderSummary(report: SessionReport): string[] {
  const { backend, policy, iterations, warnings } = report;
  const sum = (field: Total): number => iterations.reduce((total, iteration) => total + iteration[field], 0);
  const spilled = sum("spillWriteBytes") + sum("spillReadBytes");
  return [
    `policy ${policy}${plansText(report)} on backend ${backend}, ${iterationsText(iterations)}`,
    memoryText(report),
    `moved ${formatBytes(sum("offloadBytes"))} out and ${formatBytes(sum("prefetchBytes"))} in` +
      (spilled === 0
        ? ""
        : `, ${formatBytes(sum("spillWriteBytes"))} to and ${formatBytes(sum("spillReadBytes"))} from the spill file`) +
      `; stalled ${formatMs(sum("stallMs"))}; ${count(sum("demandFetches"), "demand fetch", "demand fetches")}`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}

function plansText({ policy, plans }: SessionReport): string {
  const chosen = [...new Set(plans.map((plan) => plan.policy))].filter((name) => name !== policy);
  return chosen.length === 0 ? "" : ` (${chosen.join("; ")})`;
}

function iterationsText(iterations: readonly IterationResult[]): string {
  const modes = new Map<string, number>();
  for (const { mode } of iterations) modes.set(mode, (modes.get(mode) ?? 0) + 1);
  const parts = [...modes].map(([mode, times]) => `${times} ${mode}`).join(", ");
  return `${count(iterations.length, "iteration", "iterations")}${parts === "" ? "" : ` (${parts})`}`;
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
