/** What grows with the batch in a trace, and what does not. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { G10_NETWORKS } from "../../benchmarks/g10-published.ts";
import { scaledGraph } from "../../benchmarks/scaled-graph.ts";
import { readGraph } from "../../src/graph/file.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { GIB } from "../../src/units.ts";

const PAGE = 4096;
const SHARED = path.join(import.meta.dirname, "../../../shared/data/graphs");

const graph: Graph = {
  schema: "vdnn-graph/1",
  name: "one layer",
  tensors: [
    { bytes: 8 * PAGE, role: "input" },
    { bytes: 2 * PAGE, role: "weight" },
    { bytes: 6 * PAGE, role: "activation" },
    { bytes: 6 * PAGE, role: "gradient" },
    { bytes: 2 * PAGE, role: "gradient" },
    { bytes: 6 * PAGE, role: "weight" },
  ],
  kernels: [
    { name: "conv", pass: "forward", ms: 3, inputs: [0, 1, 5], outputs: [2] },
    { name: "loss", pass: "backward", ms: 1, inputs: [2], outputs: [3] },
    { name: "conv weight", pass: "backward", ms: 4, inputs: [0, 3], outputs: [4] },
    { name: "update", pass: "update", ms: 2, inputs: [1, 4], outputs: [1] },
  ],
};

describe("scaledGraph", () => {
  const scaled = scaledGraph(graph, "one layer x 2.5", { batchRatio: 2.5, idealMs: 15 });

  it("scales feature maps, their gradients, inputs and constants of a map's size, but no weight and no weight's gradient", () => {
    expect(scaled.tensors.map(({ bytes }) => bytes / PAGE)).toEqual([20, 2, 15, 15, 2, 15]);
  });

  it("scales all times by one factor, to the ideal time that is given", () => {
    expect(scaled.kernels.map(({ ms }) => ms)).toEqual([4.5, 1.5, 6, 3]);
  });

  it("leaves the original alone and takes the new name", () => {
    expect(scaled.name).toBe("one layer x 2.5");
    expect(graph.tensors[2]?.bytes).toBe(6 * PAGE);
  });
});

describe.skipIf(!existsSync(SHARED)).each(G10_NETWORKS)("$name of G10", ({ name, file, tracedBatch, main, cells }) => {
  it("has the published bytes at the larger batch, within 1 %", async () => {
    const scaled = scaledGraph(await readGraph(path.join(SHARED, file)), name, {
      batchRatio: main.batch / tracedBatch,
      idealMs: cells[main.batch]?.idealMs ?? 0,
    });
    const bytes = scaled.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(Math.abs(bytes / ((main.memoryPercent / 100) * 40 * GIB) - 1)).toBeLessThan(0.01);
  });
});
