import { describe, expect, it } from "vitest";
import { totalsOf } from "../../src/report/iterations.ts";
import type { SessionReport } from "../../src/report/result.ts";
import { renderSummary } from "../../src/report/summary.ts";
import { MIB } from "../../src/units.ts";
import { iterationResult } from "../support/iterations.ts";

const iterations = [iterationResult(0, "recorded"), iterationResult(1, "planned")];

const report: SessionReport = {
  schema: "vdnn-report/2",
  source: "measured",
  backend: "wasm",
  policy: "vdnn-dyn",
  deviceMemoryBytes: 128 * MIB,
  hostMemoryBytes: null,
  spill: null,
  totals: totalsOf(iterations),
  iterations,
  peakDeviceBytes: 96 * MIB,
  peakHostBytes: 200 * MIB,
  peakSpillBytes: 0,
  steadyPeakDeviceBytes: 90 * MIB,
  laterPeakDeviceBytes: 90 * MIB,
  plans: [
    {
      signature: "a",
      kernels: 10,
      policy: "vdnn-dyn: vdnn-conv",
      offloadedTensors: 3,
      recomputedKernels: 0,
      predictedPeakDeviceBytes: 1,
      predictedStepMs: 10,
      oracleMs: 9,
      lowerBoundMs: 9,
    },
  ],
  warnings: [],
};

describe("renderSummary", () => {
  it("says what was used and moved, and nothing about what was saved", () => {
    expect(renderSummary(report)).toEqual([
      "policy vdnn-dyn (vdnn-dyn: vdnn-conv) on backend wasm, 2 iterations (1 recorded, 1 planned)",
      "device peak 96 MiB of 128 MiB, 90 MiB once planned; host peak 200 MiB (no budget)",
      "moved 100 MiB out and 80 MiB in; stalled 5.00 ms; 2 demand fetches",
    ]);
  });

  it("adds the spill tier and the warnings where there are any", () => {
    const first = {
      ...iterationResult(0, "recorded"),
      spillWriteBytes: 3 * MIB,
      spillReadBytes: MIB,
      demandFetches: 0,
    };
    const spilled = {
      ...report,
      spill: "/mnt/disk",
      peakSpillBytes: 3 * MIB,
      totals: totalsOf([first]),
      iterations: [first],
      warnings: ["tight"],
    };
    const [, memory, moved, warning] = renderSummary({ ...spilled, steadyPeakDeviceBytes: null });
    expect(memory).toBe("device peak 96 MiB of 128 MiB; host peak 200 MiB (no budget); spill peak 3 MiB in /mnt/disk");
    expect(moved).toBe(
      "moved 50 MiB out and 40 MiB in, 3 MiB to and 1 MiB from the spill file; stalled 2.50 ms; 0 demand fetches",
    );
    expect(warning).toBe("warning: tight");
  });
});
