/** The *why* of a plan as text: numbers from `plan/describe.ts`, sentences from here. */
import type { Futility, Remedy, Why } from "../plan/describe.ts";
import type { SmallestBudget } from "../plan/describe/budgets.ts";
import type { Fate, KernelName, LiveTensor } from "../plan/describe/peak.ts";
import type { LongStall, StallCause } from "../plan/describe/stalls.ts";
import type { Prediction } from "../plan/plan.ts";
import { formatBytes, formatMs } from "../units.ts";
import { type Column, renderTable } from "./table.ts";

/** @param deviceBytes the budget; Infinity without one */
export function renderWhy(why: Why, predicted: Prediction, deviceBytes: number): string[] {
  return [
    ...peakLines(why, deviceBytes),
    "",
    ...stallLines(why, predicted),
    "",
    ...budgetLines(why, predicted, deviceBytes),
    "",
    ...adviceLines(why, predicted),
  ];
}

const FATES: Readonly<Record<Fate, string>> = {
  used: "used by the kernel",
  kept: "stays",
  host: "on the host",
  spill: "in spill",
  dropped: "dropped, made again later",
};

function peakLines({ peak, floor }: Why, deviceBytes: number): string[] {
  const roles = peak.roles.map(({ role, bytes, count }) => `${count} ${role} ${formatBytes(bytes)}`);
  if (peak.workspaceBytes > 0) roles.push(`workspace ${formatBytes(peak.workspaceBytes)}`);
  const fates = Object.entries(peak.fates).flatMap(([fate, bytes]) =>
    bytes > 0 ? [`${formatBytes(bytes)} ${FATES[fate as Fate]}`] : [],
  );
  const budget = Number.isFinite(deviceBytes) ? `, ${(peak.bytes / deviceBytes).toFixed(2)} x the budget` : "";
  const columns: readonly Column<LiveTensor>[] = [
    { title: "  largest there", align: "left", cell: ({ name }) => `  ${name}` },
    { title: "role", align: "left", cell: ({ role }) => role },
    { title: "bytes", cell: ({ bytes }) => formatBytes(bytes) },
    { title: "in this plan", align: "left", cell: ({ fate }) => FATES[fate] },
  ];
  return [
    `Peak of the iteration as it is: ${formatBytes(peak.bytes)} at ${kernelText(peak.at)}${budget}`,
    `  live there: ${roles.join(", ")}`,
    `  in this plan, while that kernel runs: ${fates.join(", ")}`,
    ...renderTable(columns, peak.largest),
    `Hungriest kernel: ${kernelText(floor.at)} needs ${formatBytes(floor.bytes)} at once, and no plan gets below: ` +
      `weights ${formatBytes(floor.pinnedBytes)}, what it reads and writes ${formatBytes(floor.operandBytes)}` +
      (floor.otherBytes > 0 ? `, what else may not leave ${formatBytes(floor.otherBytes)}` : "") +
      (floor.workspaceBytes > 0 ? `, workspace ${formatBytes(floor.workspaceBytes)}` : ""),
  ];
}

/** `backward kernel 212, conv4_2 Conv2DBackpropFilter`. */
function kernelText({ kernel, name, layer, pass }: KernelName): string {
  return `${pass} kernel ${kernel} (${[layer, name].filter(Boolean).join(" ")})`;
}

function stallLines({ stalls }: Why, { stepMs, recomputeMs }: Prediction): string[] {
  const { totalMs, tailMs, causes, longest } = stalls;
  const again =
    recomputeMs > 0 ? `; kernels that run again take ${formatMs(recomputeMs)} (${share(recomputeMs, stepMs)})` : "";
  if (totalMs <= 0) return [`Stalls: none${again}`];
  return [
    `Stalls: ${formatMs(totalMs)} of the step (${share(totalMs, stepMs)})${again}`,
    ...causes.map((each) => `  ${formatMs(each.ms)} in ${counted(each.kernels, "kernel")}: ${causeText(each)}`),
    ...(tailMs > 0 ? [`  ${formatMs(tailMs)} at the end: copies go on after the last kernel`] : []),
    ...longest.map((stall, i) => `${i === 0 ? "  longest: " : "           "}${stallText(stall)}`),
  ];
}

const IN_REASONS: Readonly<Record<StallCause["reason"], string>> = {
  listed: "it was issued late, as there was no room for it earlier or nothing was gained by it",
  lane: "copies in before it took the link",
  room: "it waited for room on the device",
  source: "its data was not on the host yet",
};

const OUT_REASONS: Readonly<Record<StallCause["reason"], string>> = {
  listed: "it started with its writer's end and takes longer than what ran since",
  lane: "copies out before it took the link",
  room: "it waited for room on the host",
  source: "its data was still on its way in",
};

function causeText({ cause, reason }: Pick<StallCause, "cause" | "reason">): string {
  switch (cause) {
    case "prefetch":
      return `an input was still on its way in: ${IN_REASONS[reason]}`;
    case "memory":
      return `no room until a copy out had ended: ${OUT_REASONS[reason]}`;
    case "overwrite":
      return `what the kernel overwrites was still being copied: ${OUT_REASONS[reason]}`;
  }
  return cause satisfies never;
}

function stallText({ at, ms, cause, tensor }: LongStall): string {
  const what = cause === "prefetch" ? "for" : cause === "memory" ? "for the copy out of" : "to overwrite";
  const named = tensor === null ? "for memory" : `${what} ${tensor.name} (${formatBytes(tensor.bytes)})`;
  return `${formatMs(ms)} before ${kernelText(at)}, ${named}`;
}

interface BudgetRow {
  readonly what: string;
  readonly bytes: number | null;
  readonly stepMs: number | null;
  readonly note: string;
}

function budgetLines({ smallest, larger }: Why, { stepMs, oracleMs }: Prediction, deviceBytes: number): string[] {
  const found = (what: string, budget: SmallestBudget | null): BudgetRow => ({
    what,
    bytes: budget?.bytes ?? null,
    stepMs: budget?.stepMs ?? null,
    note: budget === null ? "none works" : budget.bytes === budget.floorBytes ? "the hungriest kernel alone" : "",
  });
  const rows: BudgetRow[] = [
    found("smallest, copies and recomputation", smallest.both),
    found("smallest, copies alone", smallest.transfers),
    found("smallest, recomputation alone", smallest.recompute),
    ...(Number.isFinite(deviceBytes) ? [{ what: "this budget", bytes: deviceBytes, stepMs, note: "" }] : []),
    ...larger.map(({ factor, bytes, stepMs: ms }) => ({
      what: `${factor} x this budget`,
      bytes,
      stepMs: ms,
      note: "",
    })),
    { what: "as it is: nothing moves or runs again", bytes: smallest.asItIsBytes, stepMs: oracleMs, note: "" },
  ];
  return renderTable<BudgetRow>(
    [
      { title: "device budget", align: "left", cell: ({ what }) => what },
      { title: "bytes", cell: ({ bytes }) => (bytes === null ? "-" : formatBytes(bytes)) },
      { title: "step", cell: ({ stepMs: ms }) => (ms === null ? "-" : formatMs(ms)) },
      { title: "x oracle", cell: ({ stepMs: ms }) => (ms === null ? "-" : (ms / oracleMs).toFixed(3)) },
      { title: "", align: "left", cell: ({ note }) => note },
    ],
    rows,
  );
}

function adviceLines(why: Why, predicted: Prediction): string[] {
  return [
    "What would help:",
    ...why.would.map((remedy) => `  ${remedyText(remedy, why, predicted)}`),
    "What would not:",
    ...why.wouldNot.map((futility) => `  ${futilityText(futility, predicted, kernelText(why.floor.at))}`),
  ];
}

function remedyText(remedy: Remedy, { peak, floor }: Why, predicted: Prediction): string {
  const becomes = (ms: number): string => `step ${formatMs(predicted.stepMs)} -> ${formatMs(ms)}`;
  switch (remedy.kind) {
    case "device-memory":
      return `a device budget of ${formatBytes(remedy.bytes)}: ${becomes(remedy.stepMs)}`;
    case "recompute":
      return `letting kernels run again (without --no-recompute): ${becomes(remedy.stepMs)}`;
    case "host-memory":
      return `host memory without a limit: ${becomes(remedy.stepMs)}`;
    case "link":
      return `a link ${remedy.factor} times as fast: ${becomes(remedy.stepMs)}`;
    case "batch":
      return (
        `a smaller batch: with it go down ${formatBytes(remedy.peakBytes)} of the ${formatBytes(peak.bytes)} at the peak, and ` +
        `${formatBytes(remedy.floorBytes)} of the ${formatBytes(floor.bytes)} that the hungriest kernel needs`
      );
  }
  return remedy satisfies never;
}

function futilityText(futility: Futility, { stepMs }: Prediction, hungriest: string): string {
  const stays = (ms: number): string => `the step stays at ${formatMs(Math.min(ms, stepMs))}`;
  switch (futility.kind) {
    case "operands":
      return `offloading or recomputing the ${formatBytes(futility.bytes)} that the peak kernel itself reads and writes`;
    case "weights":
      return `offloading weights (${formatBytes(futility.bytes)}): they are in use all the time, and stay`;
    case "workspace":
      return `offloading the peak kernel's workspace (${formatBytes(futility.bytes)})`;
    case "host-memory":
      return `more host memory: ${formatBytes(futility.bytes)} of it are used, ${stays(futility.stepMs)}`;
    case "link":
      return `a faster link: ${stays(futility.stepMs)}; what it waits for is not the link`;
    case "recompute":
      return `letting kernels run again: ${stays(futility.stepMs)}`;
    case "not-recomputable":
      return `recomputing the ${formatBytes(futility.bytes)} of activations whose kernels may not run again (random, or with an update in place)`;
    case "floor":
      return `any plan below ${formatBytes(futility.bytes)}: ${hungriest} needs that at once`;
  }
  return futility satisfies never;
}

function share(part: number, of: number): string {
  return `${((part / of) * 100).toFixed(1)} %`;
}

function counted(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}
