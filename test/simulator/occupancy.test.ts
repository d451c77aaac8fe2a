/** Memory over time, on an iteration small enough to draw. */
import { expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import type { Machine } from "../../src/plan/policy.ts";
import type { PlanStep } from "../../src/plan/plan.ts";
import { occupancy } from "../../src/simulator/occupancy.ts";
import { freeRun, synchronousRun } from "../../src/simulator/timed-steps.ts";

/** Two forward kernels of 10 ms, one backward; a copy of the first map takes 4 ms. */
const GRAPH: Graph = {
  schema: "vdnn-graph/1",
  name: "two",
  tensors: [
    { bytes: 100, role: "weight" },
    { bytes: 4e6, role: "activation" },
    { bytes: 1000, role: "activation" },
    { bytes: 4, role: "output" },
  ],
  kernels: [
    { name: "f1", layer: "1", pass: "forward", ms: 10, inputs: [0], outputs: [1] },
    { name: "f2", layer: "2", pass: "forward", ms: 10, inputs: [0, 1], outputs: [2], workspaceBytes: 500 },
    { name: "f3", layer: "3", pass: "forward", ms: 10, inputs: [2], outputs: [3] },
    { name: "b1", layer: "1", pass: "backward", ms: 10, inputs: [1], outputs: [3] },
  ],
};
const MACHINE: Machine = {
  name: "test",
  deviceBytes: Number.POSITIVE_INFINITY,
  hostBytes: Number.POSITIVE_INFINITY,
  offloadGBps: 1,
  prefetchGBps: 1,
};
const compute = (kernel: number): PlanStep => ({ kind: "compute", kernel });
const [OUT, FREE, BACK]: readonly PlanStep[] = [
  { kind: "offload", tensor: 1, tier: "host", keep: true },
  { kind: "free", tensor: 1 },
  { kind: "prefetch", tensor: 1 },
] as const;

/**
 *   compute |f1 0-10|f2 10-20|f3 20-30|      |b1|
 *   copies          |out 10-14|              back: 20-24 with the streams of the paper, beside f3
 */
test("a synchronous run overlaps a copy with its layer", () => {
  const groups = [[compute(0)], [OUT, compute(1), FREE], [BACK, compute(2)], [compute(3)]] as PlanStep[][];
  const run = synchronousRun(GRAPH, MACHINE, groups);
  expect(run.stepMs).toBe(40);
  expect(run.stallMs).toBe(0);
  const { peakDeviceBytes, averageDeviceBytes, peakHostBytes, offloadBytes, samples } = occupancy(GRAPH, run);
  expect(peakDeviceBytes).toBe(100 + 4e6 + 1000 + 500);
  expect({ peakHostBytes, offloadBytes }).toEqual({ peakHostBytes: 4e6, offloadBytes: 4e6 });
  expect(samples.map(({ timeMs }) => timeMs)).toEqual([0, 10, 20, 24]);
  // The first map is there all the time, the second from 10 ms on, the workspace for 10 ms, the output from 20 ms on.
  expect(averageDeviceBytes).toBeCloseTo(100 + 4e6 + 750 + 125 + 2, 6);
});

test("a synchronous run waits at the end of a layer for a copy that is longer", () => {
  const slow = { ...MACHINE, offloadGBps: 0.2, prefetchGBps: 0.2 };
  const groups = [[compute(0)], [OUT, compute(1), FREE], [BACK, compute(2)], [compute(3)]] as PlanStep[][];
  const run = synchronousRun(GRAPH, slow, groups);
  expect(run.stepMs).toBe(10 + 20 + 20 + 10);
  expect(run.stallMs).toBe(20);
});

test("a free run lets a copy go on beside the next layer, and agrees on the bytes", () => {
  const steps = [compute(0), OUT, compute(1), FREE, compute(2), BACK, compute(3)] as PlanStep[];
  const slow = { ...MACHINE, offloadGBps: 0.2, prefetchGBps: 0.2 };
  const run = freeRun(GRAPH, slow, steps);
  expect(run.stepMs).toBeCloseTo(60, 9);
  const { samples, peakHostBytes } = occupancy(GRAPH, run);
  expect(peakHostBytes).toBe(4e6);
  // Out from 10 to 30 ms, back from 30 to 50 ms: never away.
  expect(Math.min(...samples.slice(1).map(({ deviceBytes }) => deviceBytes))).toBeGreaterThanOrEqual(4e6);
});

test("counts only what it is asked to count", () => {
  const run = synchronousRun(GRAPH, MACHINE, [[0, 1, 2, 3].map(compute)]);
  const { peakDeviceBytes } = occupancy(GRAPH, run, { counts: (t) => t === 2, countsWorkspace: () => false });
  expect(peakDeviceBytes).toBe(1000);
});
