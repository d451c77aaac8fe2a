/**
 * A plan in time, with reasons: when each kernel and copy runs, who holds how many bytes from when to when, and what every kernel
 * that waits is waiting for. The times are those of `Execution`, asked step by step; nothing is decided here.
 */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { lastPrefetches, placesAtStart } from "./copies.ts";
import { Execution, ON_DEVICE, ON_HOST } from "./execution.ts";
import { flatten } from "./flat.ts";
import { type Holding, Holdings } from "./holdings.ts";
import type { PlanStep } from "./plan.ts";
import type { Machine } from "./policy.ts";

export type SpanLane = "compute" | "offload" | "prefetch" | "spill-write" | "spill-read";

export interface Span {
  readonly lane: SpanLane;
  /** Position in the list of steps. */
  readonly step: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Why a copy did not start before it did: it was not listed earlier, its lane was busy, there was no room, or its data was not there. */
export type CopyReason = "listed" | "lane" | "room" | "source";

/** A kernel that did not start when the one before it ended. */
export interface Wait {
  readonly step: number;
  readonly kernel: KernelIndex;
  readonly startMs: number;
  readonly ms: number;
  /**
   * `prefetch`: an input was still on its way in. `memory`: the device had no room until a copy out (or in) of `tensor` ended.
   * `overwrite`: what it overwrites was still being copied.
   */
  readonly cause: "prefetch" | "memory" | "overwrite";
  /** What it waited for; -1 where memory came free by nothing that is known by name. */
  readonly tensor: TensorIndex;
  /** Why the copy that it waited for ran so late. */
  readonly reason: CopyReason;
}

export interface Spans {
  readonly spans: readonly Span[];
  readonly holdings: readonly Holding[];
  readonly waits: readonly Wait[];
  readonly stepMs: number;
  /** Copies that go on after the last kernel, ms. */
  readonly tailMs: number;
}

interface Copied {
  readonly tensor: TensorIndex;
  readonly reason: CopyReason;
}

const NOBODY: Copied = { tensor: -1, reason: "listed" };

export function spansOf(graph: Graph, machine: Machine, steps: readonly PlanStep[]): Spans {
  const flat = flatten(graph);
  const execution = new Execution(flat, machine);
  const bytesOf = (t: TensorIndex): number => graph.tensors[t]?.bytes ?? 0;
  const isLast = lastPrefetches(graph, steps);
  const spans: Span[] = [];
  const waits: Wait[] = [];
  const ledger = new Holdings(bytesOf);
  /** Per tensor: when the last copy into, or out of, the device ends, and why it was not earlier. */
  const inEnds = new Map<TensorIndex, Copied & { readonly ms: number }>();
  const outEnds = new Map<TensorIndex, Copied & { readonly ms: number }>();
  /** Which copy's end released memory at a time. */
  const releases = new Map<number, Copied>();
  const away = placesAtStart(graph, steps);
  graph.tensors.forEach(({ role }, t) => {
    if (!existsBefore(role)) return;
    const tier = away.get(t) ?? "device";
    execution.begin(t, tier);
    ledger.enter(tier, t, 0);
  });

  const compute = (k: KernelIndex, step: number): void => {
    const { outputs = [], workspaceBytes = 0, ms = 0 } = graph.kernels[k] ?? {};
    const before = execution.computeMs;
    const need = execution.needBytes(k);
    const memoryMs = need > 0 ? execution.device.peek(need) : 0;
    const inputsMs = execution.inputsMs(k);
    const end = execution.compute(k);
    const start = end - ms;
    for (const t of outputs) ledger.enter("device", t, start);
    if (workspaceBytes > 0) ledger.hold("device", -1, workspaceBytes, start, end);
    for (const t of outputs) {
      ledger.leave("host", t, end);
      ledger.leave("spill", t, end);
    }
    spans.push({ lane: "compute", step, startMs: start, endMs: end });
    if (start - before > NOTHING_MS) explain(k, step, before, start, memoryMs, inputsMs);
    for (const t of outputs) {
      inEnds.delete(t);
      outEnds.delete(t);
    }
  };

  const explain = (
    k: KernelIndex,
    step: number,
    before: number,
    start: number,
    memoryMs: number,
    inputsMs: number,
  ): void => {
    const { inputs = [], outputs = [] } = graph.kernels[k] ?? {};
    const wait = { step, kernel: k, startMs: before, ms: start - before };
    if (memoryMs >= inputsMs) {
      const { tensor, reason } = releases.get(memoryMs) ?? NOBODY;
      waits.push({ ...wait, cause: "memory", tensor, reason });
      return;
    }
    const late = [...inputs, ...outputs].flatMap((t) => inEnds.get(t) ?? []).find((copy) => copy.ms === inputsMs);
    const kept = outputs.flatMap((t) => outEnds.get(t) ?? []).find((copy) => copy.ms === inputsMs);
    const { tensor, reason } = late ?? kept ?? NOBODY;
    waits.push({ ...wait, cause: late === undefined && kept !== undefined ? "overwrite" : "prefetch", tensor, reason });
  };

  /** What of these comes last; the first named, where several do. */
  const latest = (listed: number, lane: number, room: number, source: number): CopyReason => {
    const last = Math.max(listed, lane, room, source);
    return last <= listed ? "listed" : last <= source ? "source" : last <= room ? "room" : "lane";
  };

  const free = (t: TensorIndex): void => {
    if (((execution.where[t] ?? 0) & ON_DEVICE) === 0) return;
    const [copyIn, copyOut] = [inEnds.get(t), outEnds.get(t)];
    const last = (copyOut?.ms ?? 0) >= (copyIn?.ms ?? 0) ? copyOut : copyIn;
    if (last !== undefined && last.ms > execution.computeMs) releases.set(last.ms, last);
    ledger.leave("device", t, Math.max(execution.computeMs, last?.ms ?? 0));
    outEnds.delete(t);
    inEnds.delete(t);
  };

  const offload = (step: Extract<PlanStep, { kind: "offload" }>, i: number): void => {
    const { tensor: t, tier, keep = false } = step;
    const [out, write, bytes] = [execution.outMs, execution.writeMs, bytesOf(t)];
    const wasOnDevice = ((execution.where[t] ?? 0) & ON_DEVICE) !== 0;
    const reason = latest(execution.computeMs, out, execution.host.peek(bytes), inEnds.get(t)?.ms ?? 0);
    // Asked to keep, so that what leaves the device is told from what only was copied.
    execution.offload(t, tier, true);
    if (execution.outMs > out) {
      const startMs = execution.outMs - copyMs(bytes, machine.offloadGBps);
      spans.push({ lane: "offload", step: i, startMs, endMs: execution.outMs });
      outEnds.set(t, { tensor: t, reason, ms: execution.outMs });
      ledger.enter("host", t, startMs);
    }
    if (execution.writeMs > write) {
      const startMs = execution.writeMs - copyMs(bytes, machine.spillWriteGBps ?? 0);
      spans.push({ lane: "spill-write", step: i, startMs, endMs: execution.writeMs });
      ledger.enter("spill", t, startMs);
    }
    if (tier === "spill")
      ledger.leave("host", t, execution.writeMs > write ? execution.writeMs : execution.hostReadyMs(t));
    if (keep || !wasOnDevice) return;
    free(t);
    execution.free(t);
  };

  const prefetch = (step: Extract<PlanStep, { kind: "prefetch" }>, i: number): void => {
    const { tensor: t, tier = "device" } = step;
    const [read, lane, bytes] = [execution.readMs, execution.inMs, bytesOf(t)];
    const isTransit = ((execution.where[t] ?? 0) & ON_HOST) === 0;
    const room = tier === "device" ? execution.device.peek(bytes) : 0;
    const listed = execution.computeMs;
    const end = execution.prefetch(t, tier, isLast[i] === 1);
    if (execution.readMs > read) {
      const startMs = execution.readMs - copyMs(bytes, machine.spillReadGBps ?? 0);
      spans.push({ lane: "spill-read", step: i, startMs, endMs: execution.readMs });
      ledger.enter("host", t, startMs);
    }
    if (tier === "host") return;
    const source = isTransit ? execution.readMs : execution.hostReadyMs(t);
    const startMs = end - copyMs(bytes, machine.prefetchGBps);
    if (bytes > 0) spans.push({ lane: "prefetch", step: i, startMs, endMs: end });
    inEnds.set(t, { tensor: t, reason: latest(listed, lane, room, source), ms: end });
    ledger.enter("device", t, startMs);
    if (isTransit || isLast[i] === 1) ledger.leave("host", t, end);
    if (isLast[i] === 1) ledger.leave("spill", t, end);
  };

  for (const [i, step] of steps.entries()) {
    if (step.kind === "compute" || step.kind === "recompute") compute(step.kernel, i);
    else if (step.kind === "offload") offload(step, i);
    else if (step.kind === "prefetch") prefetch(step, i);
    else {
      free(step.tensor);
      execution.free(step.tensor);
    }
  }
  const stepMs = execution.endMs;
  return { spans, holdings: ledger.close(stepMs), waits, stepMs, tailMs: stepMs - execution.computeMs };
}

/** Below this, a difference of times is rounding. */
const NOTHING_MS = 1e-9;

function copyMs(bytes: number, gigabytesPerSecond: number): number {
  return bytes > 0 && gigabytesPerSecond > 0 ? bytes / (gigabytesPerSecond * 1e6) : 0;
}
