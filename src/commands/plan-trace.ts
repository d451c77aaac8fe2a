/** A plan in time as the events that traces are made of: spans of the lanes, waits, and the memory of the three tiers. */
import type { Graph } from "../graph/graph.ts";
import { tensorNames } from "../plan/describe/peak.ts";
import type { PlanStep } from "../plan/plan.ts";
import type { Spans } from "../plan/spans.ts";
import type { CounterEvent, TraceEvent } from "../report/result.ts";

export function planEvents(graph: Graph, steps: readonly PlanStep[], { spans, waits, holdings }: Spans): TraceEvent[] {
  const names = tensorNames(graph);
  const events = spans.flatMap(({ lane, step: position, startMs, endMs }): TraceEvent[] => {
    const step = steps[position];
    if (step === undefined || endMs <= startMs) return [];
    const span = { kind: "span", lane, startMs, durationMs: endMs - startMs, iteration: 0 } as const;
    if (step.kind === "compute" || step.kind === "recompute") {
      const { name = "", layer = "", pass = "forward" } = graph.kernels[step.kernel] ?? {};
      return [{ ...span, name: step.kind === "recompute" ? `${name} (again)` : name, layer, pass }];
    }
    return [{ ...span, ...names(step.tensor), bytes: graph.tensors[step.tensor]?.bytes ?? 0 }];
  });
  for (const { kernel, startMs, ms, tensor } of waits) {
    const { name = "", layer = "" } = graph.kernels[kernel] ?? {};
    const what = tensor < 0 ? "memory" : names(tensor).name;
    events.push({
      kind: "span",
      lane: "stall",
      name: `${layer || name} waits for ${what}`,
      startMs,
      durationMs: ms,
      iteration: 0,
    });
  }
  return [...events, ...counters(holdings)];
}

function counters(holdings: Spans["holdings"]): CounterEvent[] {
  const changes = holdings.flatMap(({ tier, bytes, fromMs, toMs }) => [
    { timeMs: fromMs, tier, bytes },
    { timeMs: toMs, tier, bytes: -bytes },
  ]);
  // Bytes that leave at a time are free for what arrives at it.
  changes.sort((a, b) => a.timeMs - b.timeMs || a.bytes - b.bytes);
  const held = { device: 0, host: 0, spill: 0 };
  const samples: CounterEvent[] = [];
  for (const { timeMs, tier, bytes } of changes) {
    held[tier] += bytes;
    if (samples.at(-1)?.timeMs === timeMs) samples.pop();
    samples.push({ kind: "counter", timeMs, deviceBytes: held.device, hostBytes: held.host, spillBytes: held.spill });
  }
  return samples;
}
