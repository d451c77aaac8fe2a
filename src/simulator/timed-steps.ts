/** When each step of a list starts and ends on a machine: free-running streams, or synchronized after every layer. */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { lastPrefetches, placesAtStart } from "../plan/copies.ts";
import { Execution } from "../plan/execution.ts";
import { flatten } from "../plan/flat.ts";
import type { PlanStep } from "../plan/plan.ts";
import type { Machine } from "../plan/policy.ts";
import type { Group } from "./layered.ts";

/** A step with its times in ms. For a `free`, the end is when the bytes are free. */
export interface TimedStep {
  readonly step: PlanStep;
  readonly startMs: number;
  readonly endMs: number;
}

export interface TimedRun {
  readonly steps: readonly TimedStep[];
  readonly stepMs: number;
  /** Time that compute waited for copies or memory. */
  readonly stallMs: number;
}

/** Each group starts when everything in the one before has ended. */
export function synchronousRun(graph: Graph, machine: Machine, groups: readonly Group[]): TimedRun {
  const steps: TimedStep[] = [];
  const ready = new Map<TensorIndex, number>();
  const copyMs = (t: TensorIndex, rate: number): number => (graph.tensors[t]?.bytes ?? 0) / (rate * 1e6);
  let now = 0;
  let computeMs = 0;
  for (const group of groups) {
    let [compute, out, back] = [now, now, now];
    const frees: PlanStep[] = [];
    for (const step of group) {
      switch (step.kind) {
        case "compute":
        case "recompute": {
          const kernel = graph.kernels[step.kernel];
          const startMs = Math.max(compute, ...(kernel?.inputs.map((t) => ready.get(t) ?? 0) ?? []));
          compute = startMs + (kernel?.ms ?? 0);
          computeMs += kernel?.ms ?? 0;
          steps.push({ step, startMs, endMs: compute });
          break;
        }
        case "offload": {
          const startMs = Math.max(out, compute);
          out = startMs + copyMs(step.tensor, machine.offloadGBps);
          steps.push({ step, startMs, endMs: out });
          break;
        }
        case "prefetch": {
          const startMs = Math.max(back, compute);
          back = startMs + copyMs(step.tensor, machine.prefetchGBps);
          ready.set(step.tensor, back);
          steps.push({ step, startMs, endMs: back });
          break;
        }
        case "free":
          frees.push(step);
          break;
        default:
          step satisfies never;
      }
    }
    now = Math.max(compute, out, back);
    for (const step of frees) steps.push({ step, startMs: now, endMs: now });
  }
  return { steps, stepMs: now, stallMs: now - computeMs };
}

/** Streams run on: Note [Execution model] of src/plan/execution.ts. */
export function freeRun(graph: Graph, machine: Machine, list: readonly PlanStep[]): TimedRun {
  const flat = flatten(graph);
  const execution = new Execution(flat, machine);
  const away = placesAtStart(graph, list);
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role)) execution.begin(t, away.get(t) ?? "device");
  });
  const isLast = lastPrefetches(graph, list);
  const copyEnds = new Map<TensorIndex, number>();
  const steps = list.map((step, i): TimedStep => {
    switch (step.kind) {
      case "compute":
      case "recompute": {
        const endMs = execution.compute(step.kernel);
        return { step, startMs: endMs - (flat.ms[step.kernel] ?? 0), endMs };
      }
      case "offload": {
        const before = execution.outMs;
        execution.offload(step.tensor, step.tier, step.keep === true);
        if (execution.outMs === before) return instant(step, execution.computeMs);
        const endMs = execution.outMs;
        copyEnds.set(step.tensor, endMs);
        return { step, startMs: endMs - (flat.bytes[step.tensor] ?? 0) / (machine.offloadGBps * 1e6), endMs };
      }
      case "prefetch": {
        const endMs = execution.prefetch(step.tensor, step.tier ?? "device", isLast[i] === 1);
        copyEnds.set(step.tensor, endMs);
        return { step, startMs: endMs - (flat.bytes[step.tensor] ?? 0) / (machine.prefetchGBps * 1e6), endMs };
      }
      case "free":
        execution.free(step.tensor);
        return instant(step, Math.max(execution.computeMs, copyEnds.get(step.tensor) ?? 0));
    }
    return step satisfies never;
  });
  return { steps, stepMs: execution.endMs, stallMs: execution.stallMs };
}

function instant(step: PlanStep, ms: number): TimedStep {
  return { step, startMs: ms, endMs: ms };
}
