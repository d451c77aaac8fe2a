/** A device's time for an iteration, shared among its kernels. */
import { describe, expect, it } from "vitest";
import { deviceTimes, type Observed } from "../../src/backends/device-times.ts";
import type { Graph } from "../../src/graph/graph.ts";

/** A product of 32 by 32 matrices, and two kernels that read what it wrote. */
const graph: Graph = {
  schema: "vdnn-graph/1",
  name: "product",
  tensors: Array.from({ length: 5 }, () => ({ bytes: 4096, role: "activation" })),
  kernels: [
    { name: "_FusedMatMul", pass: "forward", ms: 1, inputs: [0, 1], outputs: [2] },
    { name: "Tanh", pass: "forward", ms: 1, inputs: [2], outputs: [3] },
    { name: "Square", pass: "forward", ms: 1, inputs: [3], outputs: [4] },
  ],
};

/** Each kernel ran once, in a pass of its own. */
const once: Observed = { reached: 3, runs: [1, 1, 1], passes: [0, 1, 2], passMs: [5, 2, 1], busyMs: 11 };

function times(observed: Partial<Observed>): number[] {
  return [...deviceTimes(graph, { ...once, ...observed })];
}

describe("with timestamps", () => {
  it("every run has the same part of what lies between passes", () => {
    expect(times({})).toEqual([6, 3, 2]);
  });

  it("passes of one kernel add up, and its runs share them", () => {
    expect(times({ runs: [2, 1, 1], passes: [0, 0, 1, 2, 0], passMs: [2, 2, 2, 1, 1], busyMs: 12 })).toEqual([
      3.5, 3, 2,
    ]);
  });

  it("passes of other kernels take their time away", () => {
    expect(times({ passes: [0, -1, 1, 2], passMs: [4, 1, 2, 1] })).toEqual([5, 3, 2]);
  });

  it("times that are more than the device was busy are scaled down to that", () => {
    expect(times({ busyMs: 4 })).toEqual([2.5, 1, 0.5]);
  });

  it("a kernel that did not run on the device took no time", () => {
    expect(times({ runs: [1, undefined, 1], passes: [0, 2], passMs: [5, 1], busyMs: 8 })).toEqual([6, 0, 2]);
  });
});

/** Bytes, and a tenth of the operations: 12 KiB and 2 * 32 * 32 * 32 / 10, 8 KiB, 8 KiB. */
const WORK = [12_288 + 6553.6, 8192, 8192] as const;
const ALL_WORK = WORK[0] + WORK[1] + WORK[2];

describe.each([
  ["no timestamps", null],
  ["a clock that stands still", [0, 0, 0]],
  ["a clock that was set back", [5, -2, 1]],
  ["a time that is no number", [5, Number.NaN, 1]],
] as const)("with %s", (_, passMs) => {
  it("kernels share the time by bytes and operations", () => {
    const shares = times({ passMs }).map((ms) => ms / 11);
    WORK.forEach((work, k) => expect(shares[k]).toBeCloseTo(work / ALL_WORK, 10));
  });

  it("kernels that ran twice have twice the share, which is two runs", () => {
    const [first = 0, second = 0, third = 0] = times({ passMs, runs: [2, 1, 1] });
    expect(2 * first + second + third).toBeCloseTo(11, 10);
  });
});

it("kernels that have not run yet are told by those that have", () => {
  const [, second = 0, third] = times({ passMs: null, reached: 2, runs: [1, 1], passes: [0, 1] });
  expect(third).toBeCloseTo(second, 10);
});

it("nothing is known of a device that was not seen at work", () => {
  expect(times({ busyMs: 0 })).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  expect(times({ runs: [], passes: [] })).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});
