/** Presets, what overrides them, and names that are none. */
import { describe, expect, test } from "vitest";
import { VdnnError } from "../../src/errors.ts";
import { GPUS, LINKS } from "../../src/simulator/machine-data.ts";
import { plannerMachine, simulatedMachine } from "../../src/simulator/machines.ts";

function errorOf(run: () => unknown): VdnnError {
  try {
    run();
  } catch (error) {
    if (error instanceof VdnnError) return error;
  }
  throw new Error("expected a VdnnError");
}

describe("simulatedMachine", () => {
  test("knows the paper's machine: 12 GB, 12.8 GB/s", () => {
    const machine = simulatedMachine({ gpu: "Titan X" });
    expect(plannerMachine(machine)).toMatchObject({ deviceBytes: 12 * 2 ** 30, offloadGBps: 12.8, prefetchGBps: 12.8 });
  });

  test.each(GPUS.map(({ name }) => name))("%s has a source, and links that exist", (name) => {
    const { gpu, link } = simulatedMachine({ gpu: name });
    expect(gpu.source).not.toBe("");
    expect(LINKS.map((each) => each.name)).toEqual(expect.arrayContaining([...gpu.links]));
    expect(link.name).toBe(gpu.links[0]);
  });

  test("takes a link by kind, by preset, and by rate", () => {
    expect(simulatedMachine({ gpu: "v100", link: "nvlink" }).link.name).toBe("nvlink2");
    expect(simulatedMachine({ gpu: "v100", link: "PCIe 4" }).link.name).toBe("pcie4");
    expect(simulatedMachine({ gpu: "v100", link: 20 }).link.GBps).toBe(20);
  });

  test("overrides budgets and rate", () => {
    const machine = simulatedMachine({ gpu: "k40", deviceBytes: 1e9, hostBytes: 2e9, flopsPerSecond: 1e12 });
    expect(machine).toMatchObject({ deviceBytes: 1e9, hostBytes: 2e9, flopsPerSecond: 1e12 });
  });

  test("names the nearest for an unknown GPU", () => {
    const error = errorOf(() => simulatedMachine({ gpu: "tesla v1000" }));
    expect(error.code).toBe("ERR_INVALID_OPTION");
    expect(error.details["nearest"]).toContain("v100");
    expect(error.message).toContain("did you mean v100");
  });

  test.each([{ deviceBytes: 0 }, { hostBytes: 0 }, { flopsPerSecond: 0 }, { link: 0 }, { deviceBytes: Number.NaN }])(
    "refuses %j",
    (options) => {
      expect(errorOf(() => simulatedMachine({ gpu: "titan-x", ...options })).code).toBe("ERR_INVALID_OPTION");
    },
  );

  test("refuses a link that the GPU does not have", () => {
    expect(errorOf(() => simulatedMachine({ gpu: "titan-x", link: "nvlink" })).message).toContain("it has pcie3");
  });
});
