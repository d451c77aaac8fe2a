/** What is said about results of the planner: means, cells, and captions that tell simulated from measured. */
import { describe, expect, it } from "vitest";
import { deepGraph } from "../../benchmarks/deep-graph.ts";
import { type DtrPoint, dtrTables } from "../../benchmarks/dtr-result.ts";
import { type G10Case, type G10Plan, g10Tables, planOf, shareOfIdeal, WAYS } from "../../benchmarks/g10-result.ts";
import { environment, type Table } from "../../benchmarks/harness.ts";
import { type ScalingTrial, scalingTables } from "../../benchmarks/scaling.ts";
import { checkGraph } from "../../src/graph/check.ts";
import { randomOf } from "../../src/plan/auto/random.ts";

const common = { question: "?", environment: environment(null) };
const cellsOf = (table: Table | undefined, row: number): readonly string[] => table?.rows[row] ?? [];

const planning = { peakDeviceBytes: 1, peakHostBytes: 1, offloadBytes: 1, recomputeMs: 0, planningMs: 1 };
const plan = (stepMs: number, way: (typeof WAYS)[number], fault: string | null = null): G10Plan => ({
  ...way,
  ...planning,
  stepMs,
  lowerBoundMs: 100,
  fault,
});

const g10Case: G10Case = {
  network: "Net",
  batch: 8,
  origin: "scaled",
  isMain: true,
  kernels: 3,
  idealMs: 100,
  totalBytes: 101,
  publishedBytes: 100,
  publishedG10Ms: 125,
  plans: WAYS.map((way, i) => plan(100 + i, way, i === 3 ? "invalid: step 3: not there" : null)),
  baselines: [
    { policy: "lru", simulatedMs: 3000, publishedMs: 3030 },
    { policy: "FlashNeuron", simulatedMs: null, publishedMs: null },
    { policy: "deepUM", simulatedMs: 2000, publishedMs: null },
  ],
};

describe("g10Tables", () => {
  const result = { schema: "vdnn-bench-g10/1" as const, ...common, cases: [g10Case, { ...g10Case, idealMs: 50 }] };
  const [plans, baselines] = g10Tables(result);

  it("shows each way beside its bound, and marks the cells of G10's own mean", () => {
    expect(cellsOf(plans, 0).slice(0, 7)).toEqual(["Net-8 *", "scaled", "1.250", "1.000", "1.000", "1.010", "1.000"]);
  });

  it("shows an invalid plan as one and counts it as no speed", () => {
    expect(cellsOf(plans, 0)[9]).toBe("invalid");
    expect(shareOfIdeal(g10Case, planOf(g10Case, { tier: "host", recompute: true }))).toBe(0);
  });

  it("takes means of ideal over step time, not of step times", () => {
    expect(cellsOf(plans, 2).slice(0, 5)).toEqual(["mean of *", "", "60.0 %", "75.0 %", "75.0 %"]);
  });

  it("says of the baselines how far they are from what is published, and who gives up", () => {
    expect(cellsOf(baselines, 0)).toEqual([
      "Net-8",
      "scaled",
      "0.990 (3.0)",
      "both give up",
      "gives up there only (2.0)",
      "1.010",
    ]);
  });

  it("says simulated, and scaled, not traced", () => {
    expect(plans?.caption).toMatch(/simulated.*Scaled, not traced/);
    expect(baselines?.caption).toMatch(/simulated/);
  });
});

describe("dtrTables", () => {
  const point: DtrPoint = {
    share: 0.5,
    budgetBytes: 1,
    auto: 1.05,
    fault: null,
    bound: 1.01,
    planningMs: 1,
    dtr: 1.1,
    dtrFailure: null,
    dtrEvictions: 1,
  };
  const points = [
    { ...point, share: 0.4, auto: null, fault: "no plan", dtr: null, dtrFailure: "memory" as const },
    point,
  ];
  const series = {
    network: "Net",
    kernels: 3,
    peakOf: "log" as const,
    peakBytes: 2 ** 30,
    publishedAtHalf: 1.107,
    points,
  };
  const [table] = dtrTables({ schema: "vdnn-bench-dtr/1", ...common, series: [series] });

  it("has a column per share and puts the published value at half", () => {
    expect(table?.header).toEqual(["network", "", "0.4", "0.5"]);
    expect(table?.rows.map((row) => row.slice(1))).toEqual([
      ["auto", "no plan", "1.050"],
      ["bound", "1.010", "1.010"],
      ["DTR, here", "out of memory", "1.100"],
      ["DTR, published", "", "1.107"],
    ]);
    expect(table?.caption).toMatch(/simulated/);
  });
});

describe("scalingTables", () => {
  const trial: ScalingTrial = {
    kernels: 1001,
    share: 0.5,
    gbps: 3,
    planningMs: 400,
    cpuMs: 500,
    rssBeforeBytes: 2 ** 20,
    rssHighestBytes: 3 * 2 ** 20,
    fault: null,
    steps: 10,
    step: 1.02,
    bound: 1.01,
    recompute: 0,
    offloadBytes: 1,
    load: 1,
  };

  it("shows the least and the median time, or that all processes failed", () => {
    const row = { kernels: 1000, share: 0.5, gbps: 3 };
    const [table] = scalingTables({
      schema: "vdnn-bench-scaling/1",
      ...common,
      rows: [
        { ...row, outcomes: [400, 600, 200].map((planningMs) => ({ ok: true, value: { ...trial, planningMs } })) },
        { ...row, outcomes: [{ ok: false, reason: "ended by SIGKILL" }] },
      ],
    });
    expect(cellsOf(table, 0)).toEqual([
      "1,000",
      "50 %",
      "3",
      "0.20",
      "0.40",
      "0.50",
      "0.3",
      "2 MiB",
      "1.020",
      "1.010",
      "yes",
    ]);
    expect(cellsOf(table, 1).slice(3, 4)).toEqual(["failed"]);
    expect(table?.caption).toMatch(/measured.*simulated/);
  });
});

describe("deepGraph", () => {
  it("is a valid graph of about the size asked for, with skip connections, and the same for the same seed", () => {
    const graph = deepGraph(400, randomOf(1));
    expect(() => checkGraph(graph, graph.name)).not.toThrow();
    expect(Math.abs(graph.kernels.length - 400)).toBeLessThanOrEqual(4);
    expect(
      graph.kernels.some(({ name, pass, inputs }) => pass === "forward" && name === "relu" && inputs.length === 2),
    ).toBe(true);
    expect(deepGraph(400, randomOf(1))).toEqual(graph);
    expect(deepGraph(400, randomOf(2))).not.toEqual(graph);
  });
});
