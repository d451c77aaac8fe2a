/** FlashNeuron as G10 models it, on one map that is read back: what leaves, when it is waited for, when it gives up. */
import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/graph/graph.ts";
import { simulateFlashNeuron } from "../../../src/simulator/baselines/flashneuron.ts";
import { G10_SETTING, type G10Setting } from "../../../src/simulator/baselines/setting.ts";
import { GIB } from "../../../src/units.ts";

const PAGE = 4096;
/** Pages per ms; the SSD's rate is in GiB here. */
const settingOf = (devicePages: number): G10Setting => ({
  ...G10_SETTING,
  deviceBytes: devicePages * PAGE,
  ssdGBps: (PAGE * 1000) / GIB,
});

/** Forward maps a, b, c of 4 pages; the backward pass reads them in reverse order. Kernels of 10 ms. */
const graph: Graph = {
  schema: "vdnn-graph/1",
  name: "three maps",
  tensors: [
    ...["a", "b", "c"].map((name) => ({ bytes: 4 * PAGE, role: "activation" as const, name })),
    { bytes: PAGE, role: "gradient", name: "loss" },
    ...["dc", "db", "da"].map((name) => ({ bytes: PAGE, role: "gradient" as const, name })),
  ],
  kernels: [
    { name: "a", pass: "forward", ms: 10, inputs: [], outputs: [0] },
    { name: "b", pass: "forward", ms: 10, inputs: [0], outputs: [1] },
    { name: "c", pass: "forward", ms: 10, inputs: [1], outputs: [2] },
    { name: "loss", pass: "forward", ms: 10, inputs: [2], outputs: [3] },
    { name: "c'", pass: "backward", ms: 10, inputs: [2, 3], outputs: [4] },
    { name: "b'", pass: "backward", ms: 10, inputs: [1, 4], outputs: [5] },
    { name: "a'", pass: "backward", ms: 10, inputs: [0, 5], outputs: [6] },
  ],
};

describe("simulateFlashNeuron", () => {
  it("moves nothing when the maps fit beside the largest kernel", () => {
    expect(simulateFlashNeuron(graph, settingOf(40))).toEqual({ stepMs: 70, offloadBytes: 0 });
  });

  it("chooses maps in the order of first use until the others fit", () => {
    // 17 pages, of which the largest kernel takes 8: 12 pages of maps do not stay below 9, 8 do. No free piece is ever large enough to
    // fetch ahead, so the last kernel waits 4 ms.
    expect(simulateFlashNeuron(graph, settingOf(17))).toEqual({ stepMs: 74, offloadBytes: 4 * PAGE });
  });

  it("begins the backward pass when all copies out have ended", () => {
    const slow = { ...settingOf(17), ssdGBps: (PAGE * 100) / GIB };
    // The copy out takes 40 ms from 20 ms on; the three kernels that have their maps follow, then the copy in, then the last one.
    expect(simulateFlashNeuron(graph, slow)?.stepMs).toBeCloseTo(60 + 30 + 40 + 10, 6);
  });

  it("fetches ahead when a free piece is larger than what any kernel needs", () => {
    const maps = [0, 1, 2, 3, 4, 5, 6, 7];
    const count = maps.length;
    const deep: Graph = {
      schema: "vdnn-graph/1",
      name: "eight maps",
      tensors: [
        ...maps.map(() => ({ bytes: 4 * PAGE, role: "activation" as const })),
        ...[...maps, count].map(() => ({ bytes: PAGE, role: "gradient" as const })),
      ],
      kernels: [
        ...maps.map((i) => ({
          name: `${i}`,
          pass: "forward" as const,
          ms: 10,
          inputs: i > 0 ? [i - 1] : [],
          outputs: [i],
        })),
        { name: "loss", pass: "forward", ms: 10, inputs: [count - 1], outputs: [count] },
        ...maps.map((i) => ({
          name: `${count - 1 - i}'`,
          pass: "backward" as const,
          ms: 10,
          inputs: [count - 1 - i, count + i],
          outputs: [count + 1 + i],
        })),
      ],
    };
    const run = simulateFlashNeuron(deep, settingOf(30));
    expect(run?.offloadBytes).toBeGreaterThan(0);
    expect(run?.stepMs).toBe(170);
  });

  it("gives up when no kernel's tensors leave room", () => {
    expect(simulateFlashNeuron(graph, settingOf(8))).toBeNull();
  });
});
