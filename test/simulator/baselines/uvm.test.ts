/** Unified memory as G10 models it, on iterations small enough to follow page by page: one page moves per ms, each way. */
import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/graph/graph.ts";
import { G10_SETTING, type G10Setting } from "../../../src/simulator/baselines/setting.ts";
import { simulateUvm } from "../../../src/simulator/baselines/uvm.ts";

const PAGE = 4096;
const setting: G10Setting = {
  ...G10_SETTING,
  deviceBytes: 10 * PAGE,
  hostBytes: 100 * PAGE,
  linkGBps: PAGE / 1e6,
  ssdGBps: PAGE / 2e6,
  // A batch is four of the artifact's, so a batch here is one page.
  batchPages: 0.25,
  ssdBatchPages: 0.25,
  prefetchDegree: 1,
};

/** Two kernels of 1 ms; each writes a map of its own. */
function twoMaps(pages: number): Graph {
  const bytes = pages * PAGE;
  return {
    schema: "vdnn-graph/1",
    name: "two maps",
    tensors: [
      { bytes, role: "activation" },
      { bytes, role: "activation" },
    ],
    kernels: [
      { name: "a", pass: "forward", ms: 1, inputs: [], outputs: [0] },
      { name: "b", pass: "forward", ms: 1, inputs: [], outputs: [1] },
    ],
  };
}

describe("lru", () => {
  it("takes the kernels' own time in the second iteration when everything fits, and that one is reported", () => {
    const { iterations, reported } = simulateUvm(twoMaps(5), setting, "lru");
    // First touch costs as much as a copy.
    expect(iterations[0]?.stepMs).toBe(12);
    expect(reported).toEqual(iterations[1]);
    expect(reported.stepMs).toBe(2);
  });

  it("evicts the dead like the living and fetches what is overwritten", () => {
    const { iterations } = simulateUvm(twoMaps(8), setting, "lru");
    expect(iterations[0]).toMatchObject({ stepMs: 18, hostInBytes: 0, hostOutBytes: 6 * PAGE });
    // 2 pages of the map that is written are the oldest: they leave and come back too.
    expect(iterations[1]).toMatchObject({ stepMs: 16, hostInBytes: 16 * PAGE, hostOutBytes: 16 * PAGE });
  });

  it("goes on to the SSD where the host is full", () => {
    const { iterations } = simulateUvm(twoMaps(8), { ...setting, hostBytes: 4 * PAGE }, "lru");
    expect(iterations[0]).toMatchObject({ hostOutBytes: 4 * PAGE, ssdOutBytes: 2 * PAGE });
  });
});

describe("deepUM", () => {
  it("drops the dead without a copy", () => {
    const maps = [0, 1, 2, 3, 4];
    const graph: Graph = {
      schema: "vdnn-graph/1",
      name: "maps of one kernel each",
      tensors: maps.map(() => ({ bytes: 4 * PAGE, role: "activation" })),
      kernels: maps.map((t) => ({ name: `write ${t}`, pass: "forward", ms: 1, inputs: [], outputs: [t] })),
    };
    for (const { hostInBytes, hostOutBytes } of simulateUvm(graph, setting, "deepUM").iterations) {
      expect(hostInBytes + hostOutBytes).toBe(0);
    }
    expect(simulateUvm(graph, setting, "lru").iterations[1]?.hostOutBytes).toBeGreaterThan(0);
  });

  it("fetches ahead what is alive, beside the kernels", () => {
    const graph: Graph = {
      schema: "vdnn-graph/1",
      name: "read back",
      tensors: [
        { bytes: 6 * PAGE, role: "activation" },
        { bytes: 6 * PAGE, role: "activation" },
        { bytes: PAGE, role: "activation" },
      ],
      kernels: [
        { name: "write", pass: "forward", ms: 10, inputs: [], outputs: [0] },
        { name: "other", pass: "forward", ms: 10, inputs: [], outputs: [1] },
        { name: "small", pass: "forward", ms: 10, inputs: [], outputs: [2] },
        { name: "read", pass: "backward", ms: 10, inputs: [0], outputs: [2] },
      ],
    };
    const [ahead, onDemand] = [
      simulateUvm(graph, setting, "deepUM").reported,
      simulateUvm(graph, setting, "lru").reported,
    ];
    expect(ahead.hostInBytes).toBe(6 * PAGE);
    // What it waits for is room for the second map, not the first one's way back.
    expect(ahead.stepMs).toBe(43);
    expect(onDemand.stepMs).toBe(47);
  });
});
