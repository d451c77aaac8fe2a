/** Note [Execution model] by examples small enough to follow by hand. */
import { describe, expect, test } from "vitest";
import type { Graph, GraphTensor } from "../../src/graph/graph.ts";
import { dryRun, fitsDryRun } from "../../src/plan/ledger.ts";
import type { PlanStep } from "../../src/plan/plan.ts";
import type { Machine } from "../../src/plan/policy.ts";
import { timeline } from "../../src/plan/timeline.ts";

const MB = 1e6;
const compute = (kernel: number): PlanStep => ({ kind: "compute", kernel });
const free = (tensor: number): PlanStep => ({ kind: "free", tensor });
const offload = (tensor: number, keep = false): PlanStep => ({ kind: "offload", tensor, tier: "host", keep });
const prefetch = (tensor: number): PlanStep => ({ kind: "prefetch", tensor });
const map = (bytes: number): GraphTensor => ({ bytes: bytes * MB, role: "activation" });

/** Three writers of 10 ms, then a reader of the first. */
const graph: Graph = {
  schema: "vdnn-graph/1",
  name: "four kernels",
  tensors: [map(20), map(20), map(10), map(5)],
  kernels: [
    { name: "a", pass: "forward", ms: 10, inputs: [], outputs: [0] },
    { name: "b", pass: "forward", ms: 10, inputs: [0], outputs: [1] },
    { name: "c", pass: "forward", ms: 10, inputs: [1], outputs: [2] },
    { name: "d", pass: "backward", ms: 10, inputs: [0, 2], outputs: [3] },
  ],
};
/** 1 MB per ms. */
const machine: Machine = { name: "test", deviceBytes: 60 * MB, hostBytes: 100 * MB, offloadGBps: 1, prefetchGBps: 1 };
const steps = [
  compute(0),
  compute(1),
  offload(0),
  compute(2),
  free(1),
  prefetch(0),
  compute(3),
  free(0),
  free(2),
  free(3),
];

describe("a timeline", () => {
  test("starts a copy in when the copy out is done, and the kernel when that has arrived", () => {
    // Out 20 to 40, in 40 to 60, kernel d 60 to 70.
    expect(timeline(graph, machine, steps)).toEqual({ stepMs: 70, stallMs: 30, fits: true });
  });

  test("starts a copy right after its writer when the device copy is kept for later readers", () => {
    const early = [compute(0), offload(0, true), compute(1), free(0), compute(2), free(1), prefetch(0), compute(3)];
    // Out 10 to 30, in 30 to 50.
    expect(timeline(graph, machine, early)).toEqual({ stepMs: 60, stallMs: 20, fits: true });
  });

  test("lets a kernel wait for the memory that a copy out still holds", () => {
    const tight = { ...machine, deviceBytes: 45 * MB };
    const list = [compute(0), compute(1), offload(0), compute(2), free(1), free(2)];
    // 40 MB are in use and c needs 10: it waits for the copy out, 20 to 40.
    expect(timeline(graph, tight, list)).toEqual({ stepMs: 50, stallMs: 20, fits: true });
  });

  test("does not let a kernel overtake a copy in that waits for memory before it in the list", () => {
    const tight = { ...machine, deviceBytes: 50 * MB };
    const list = [compute(0), compute(1), offload(0), prefetch(0), compute(2)];
    const run = timeline(graph, tight, list);
    // The copy in is granted 20 MB at 40; c's 10 MB fit then as well, although they would have fitted at 20.
    expect(run).toEqual({ stepMs: 60, stallMs: 20, fits: true });
  });

  test("passes what goes to spill through the host, there and back", () => {
    const tiers: Machine = {
      ...machine,
      hostBytes: 20 * MB,
      spillBytes: 20 * MB,
      spillWriteGBps: 0.5,
      spillReadGBps: 2,
    };
    const list = steps.map((step): PlanStep => (step.kind === "offload" ? { ...step, tier: "spill" } : step));
    // Out 20 to 40, written 40 to 80, read 80 to 90, in 90 to 110.
    expect(timeline(graph, tiers, list)).toEqual({ stepMs: 120, stallMs: 80, fits: true });
    expect(timeline(graph, { ...tiers, hostBytes: 19 * MB }, list).fits).toBe(false);
    expect(fitsDryRun(dryRun(graph, list), { ...tiers, hostBytes: 19 * MB })).toBe(false);
    expect(fitsDryRun(dryRun(graph, list), tiers)).toBe(true);
  });

  test("is as long as before where a larger budget changes nothing, and says when a list does not fit", () => {
    expect(timeline(graph, { ...machine, deviceBytes: Number.POSITIVE_INFINITY }, steps).stepMs).toBe(70);
    expect(timeline(graph, { ...machine, deviceBytes: 30 * MB }, steps).fits).toBe(false);
  });
});
