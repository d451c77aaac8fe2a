/** What a timed run moved, on a list of steps whose times can be added up by hand. */
import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { ENERGY_TABLES, type EnergyTable } from "../../src/simulator/energy-data.ts";
import { movementOf, movementPj } from "../../src/simulator/movement.ts";

const GRAPH: Graph = {
  schema: "vdnn-graph/1",
  name: "two",
  tensors: [
    { bytes: 1000, role: "activation" },
    { bytes: 400, role: "activation" },
  ],
  kernels: [
    { name: "a", pass: "forward", ms: 4, inputs: [], outputs: [0] },
    { name: "b", pass: "forward", ms: 4, inputs: [0], outputs: [1] },
  ],
};

describe("movementOf", () => {
  it("takes for hidden what lies beside a kernel, in both directions", () => {
    // compute |a 0-4|b 4-8|        |b 12-16|    out |0: 2-10|   in |0: 10-13|
    const movement = movementOf(GRAPH, {
      stepMs: 16,
      stallMs: 4,
      steps: [
        { step: { kind: "compute", kernel: 0 }, startMs: 0, endMs: 4 },
        { step: { kind: "offload", tensor: 0, tier: "host" }, startMs: 2, endMs: 10 },
        { step: { kind: "compute", kernel: 1 }, startMs: 4, endMs: 8 },
        { step: { kind: "prefetch", tensor: 0 }, startMs: 10, endMs: 13 },
        { step: { kind: "recompute", kernel: 1 }, startMs: 12, endMs: 16 },
        // Its copy is on the host already: nothing moves.
        { step: { kind: "offload", tensor: 0, tier: "host" }, startMs: 16, endMs: 16 },
        { step: { kind: "free", tensor: 1 }, startMs: 16, endMs: 16 },
      ],
    });
    expect(movement).toEqual({
      offloadBytes: 1000,
      prefetchBytes: 1000,
      copyMs: 11,
      overlap: 7 / 11,
      recomputeMs: 4,
      recomputeBytes: 1400,
    });
  });

  it("knows no overlap where nothing is copied", () => {
    expect(movementOf(GRAPH, { stepMs: 0, stallMs: 0, steps: [] }).overlap).toBeNull();
  });
});

describe("movementPj", () => {
  it("is bytes over the word, times what both ends and the link take", () => {
    const table: EnergyTable = {
      schema: "vdnn-energy/1",
      name: "test",
      source: "test",
      wordBytes: 2,
      devicePj: 10,
      hostPj: 5,
      linkPj: 1,
    };
    const moved = { offloadBytes: 100, prefetchBytes: 60, recomputeBytes: 20 };
    expect(movementPj(moved, table)).toEqual({ copyPj: 80 * 16, recomputePj: 100 });
  });

  it("has a source for every table, and Horowitz's 640 pJ per 32-bit word", () => {
    for (const { source, wordBytes } of ENERGY_TABLES) {
      expect(source.length).toBeGreaterThan(20);
      expect(wordBytes).toBeGreaterThan(0);
    }
    expect(ENERGY_TABLES[0]).toMatchObject({ name: "horowitz-45nm", wordBytes: 4, devicePj: 640, hostPj: 640 });
  });
});
