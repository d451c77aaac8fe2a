/**
 * The trace of a session in the trace-event format that Perfetto and chrome://tracing open: one process, one thread per lane,
 * and counters for the three tiers. Times are microseconds since the session began.
 */
import type { CounterEvent, Lane, LaneEvent, TraceEvent } from "./result.ts";

/** The part of the format that is written here. `X` is a span, `C` a counter sample, `M` names a process or thread. */
export interface ChromeEvent {
  readonly ph: "X" | "C" | "M";
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly ChromeEvent[];
}

/** In the order in which the threads are to stand. */
export const LANES: readonly (readonly [Lane, string])[] = [
  ["compute", "compute"],
  ["offload", "offload"],
  ["prefetch", "prefetch"],
  ["spill-write", "spill write"],
  ["spill-read", "spill read"],
  ["stall", "stall"],
];
const PID = 1;

/** @param title what the trace is of, as the name of the process */
export function toChromeTrace(events: readonly TraceEvent[], title: string): ChromeTrace {
  const names = LANES.flatMap(([, name], i) => [
    metadata("thread_name", i + 1, { name }),
    metadata("thread_sort_index", i + 1, { sort_index: i }),
  ]);
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      metadata("process_name", 0, { name: title }),
      ...names,
      ...events.flatMap((event) => (event.kind === "span" ? [span(event)] : counters(event))),
    ],
  };
}

function metadata(name: string, tid: number, args: ChromeEvent["args"]): ChromeEvent {
  return { ph: "M", name, pid: PID, tid, ts: 0, args };
}

function span({ lane, name, startMs, durationMs, layer, pass, bytes, iteration }: LaneEvent): ChromeEvent {
  return {
    ph: "X",
    name,
    cat: lane,
    pid: PID,
    tid: LANES.findIndex(([each]) => each === lane) + 1,
    ts: startMs * 1000,
    dur: durationMs * 1000,
    args: {
      iteration,
      ...(layer === undefined ? {} : { layer }),
      ...(pass === undefined ? {} : { pass }),
      ...(bytes === undefined ? {} : { bytes }),
    },
  };
}

function counters({ timeMs, deviceBytes, hostBytes, spillBytes }: CounterEvent): ChromeEvent[] {
  const tiers = { "device bytes": deviceBytes, "host bytes": hostBytes, "spill bytes": spillBytes };
  return Object.entries(tiers).map(([name, bytes]) => ({
    ph: "C",
    name,
    pid: PID,
    tid: 0,
    ts: timeMs * 1000,
    args: { bytes },
  }));
}
