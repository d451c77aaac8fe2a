/** One step's events as the chart that shows them. */
import { laneRows, passesOf } from "./lanes.ts";
import type { TraceEvent } from "./result.ts";
import { type ByteSample, countersOf, type Tier, tierSamples } from "./samples.ts";
import type { TimeChart, TimeSeries } from "./time-chart.ts";

/** Budgets that are drawn where they bind; null or Infinity is none. */
export interface Budgets {
  readonly deviceBytes: number | null;
  readonly hostBytes?: number | null;
}

const TIERS: readonly (readonly [Tier, string])[] = [
  ["device", "device"],
  ["host", "host (offloaded)"],
  ["spill", "spill file"],
];

/** Below the heading of every such chart. */
export const STEP_NOTE: string =
  "Memory and lanes of one step, on one time axis. The line has every change of the bytes held, to the pixel; bars narrower than two " +
  "pixels are joined. Pointed at, a bar says what it is.";

/** The same for a step that ran on this backend. */
export function stepNoteOn(backend: string | undefined): string {
  if (backend !== "webgpu") return STEP_NOTE;
  return `${STEP_NOTE} A kernel's bar is the time in which it was queued: the device computes behind it, in the gaps too.`;
}

/** From its first event to the end of its last one. */
export interface Extent {
  readonly fromMs: number;
  readonly endMs: number;
}

export function extentOf(events: readonly TraceEvent[]): Extent {
  let [fromMs, endMs] = [Number.POSITIVE_INFINITY, 0];
  for (const event of events) {
    const [start, end] =
      event.kind === "span" ? [event.startMs, event.startMs + event.durationMs] : [event.timeMs, event.timeMs];
    fromMs = Math.min(fromMs, start);
    endMs = Math.max(endMs, end);
  }
  return { fromMs: Number.isFinite(fromMs) ? fromMs : 0, endMs };
}

export function stepChart(title: string, events: readonly TraceEvent[], budgets: Budgets): TimeChart {
  const { fromMs, endMs } = extentOf(events);
  return {
    title,
    endMs: endMs - fromMs,
    series: tierSeries(events, fromMs),
    limits: limitsOf(budgets),
    bands: passesOf(events, fromMs, endMs - fromMs),
    // Stock's kernels are not timed, and empty lanes would say that they do not run.
    lanes: events.some((event) => event.kind === "span") ? laneRows(events, fromMs) : [],
  };
}

/** A line for each tier that holds anything; the device is always there. */
export function tierSeries(events: readonly TraceEvent[], fromMs: number): TimeSeries[] {
  const counters = countersOf(events);
  return TIERS.flatMap(([tier, name]) => {
    const samples = tierSamples(counters, tier, fromMs);
    if (tier !== "device" && samples.every(({ bytes }) => bytes === 0)) return [];
    return [{ name, colour: `var(--${tier})`, samples, filled: tier === "device" }];
  });
}

/** Device bytes of one step, from its first event on. */
export function deviceSamples(events: readonly TraceEvent[]): ByteSample[] {
  return tierSamples(countersOf(events), "device", extentOf(events).fromMs);
}

export function limitsOf({ deviceBytes, hostBytes = null }: Budgets): TimeChart["limits"] {
  const known = (bytes: number | null): bytes is number => bytes !== null && Number.isFinite(bytes);
  return [
    ...(known(deviceBytes) ? [{ name: "device budget", bytes: deviceBytes }] : []),
    ...(known(hostBytes) ? [{ name: "host budget", bytes: hostBytes }] : []),
  ];
}

/** A second sign beside the eight colours, for those who cannot tell them apart. */
const DASHES = ["", "2 3", "9 3", "", "2 3", "9 3", "2 3", ""];

function dashOf(look: number): { readonly dash?: string } {
  const dash = DASHES[look % DASHES.length] ?? "";
  return dash === "" ? {} : { dash };
}

/** Several steps in one picture: what each policy holds on the device, from its step's first event on. */
export interface StepOutline {
  readonly name: string;
  /** Which colour; the same number is the same policy everywhere. */
  readonly look: number;
  readonly events: readonly TraceEvent[];
}

export function outlineChart(title: string, steps: readonly StepOutline[], budgets: Budgets): TimeChart {
  const lengths = steps.map(({ events }) => {
    const { fromMs, endMs } = extentOf(events);
    return endMs - fromMs;
  });
  return {
    title,
    endMs: Math.max(0, ...lengths),
    series: steps.map(({ name, look, events }, i) => ({
      name,
      colour: `var(--c${look % DASHES.length})`,
      ...dashOf(look),
      samples: deviceSamples(events),
      endMs: lengths[i] ?? 0,
    })),
    limits: limitsOf(budgets),
    bands: [],
    lanes: [],
  };
}
