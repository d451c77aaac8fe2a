/** A simulated run as the events that traces are made of (src/report/trace-events.ts). */
import type { LaneEvent, TraceEvent } from "../report/result.ts";
import type { DetailedRun } from "./row.ts";

export function traceEvents({ graph, run, samples }: Pick<DetailedRun, "graph" | "run" | "samples">): TraceEvent[] {
  const events: TraceEvent[] = [];
  let computeEnd = 0;
  for (const { step, startMs, endMs } of run.steps) {
    if (step.kind === "free" || (step.kind === "offload" && endMs === startMs)) continue;
    if (step.kind === "compute" || step.kind === "recompute") {
      const { name = "", layer = "", pass } = graph.kernels[step.kernel] ?? {};
      if (startMs > computeEnd) events.push(span("stall", `wait for ${layer || name}`, computeEnd, startMs));
      computeEnd = endMs;
      const title = step.kind === "recompute" ? `${name} (again)` : name;
      events.push({ ...span("compute", title, startMs, endMs), layer, ...(pass === undefined ? {} : { pass }) });
    } else {
      const { name = `tensor ${step.tensor}`, bytes = 0 } = graph.tensors[step.tensor] ?? {};
      events.push({ ...span(step.kind, name, startMs, endMs), bytes });
    }
  }
  for (const { timeMs, deviceBytes, hostBytes } of samples) {
    events.push({ kind: "counter", timeMs, deviceBytes, hostBytes, spillBytes: 0 });
  }
  return events;
}

function span(lane: LaneEvent["lane"], name: string, startMs: number, endMs: number): LaneEvent {
  return { kind: "span", lane, name, startMs, durationMs: endMs - startMs, iteration: 0 };
}
