/** The baselines against what G10 and DTR publish, where their traces are. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { G10_NETWORKS } from "../../../benchmarks/g10-published.ts";
import { type GraphFile, readGraph } from "../../../src/graph/file.ts";
import { simulateDtr } from "../../../src/simulator/baselines/dtr.ts";
import { simulateFlashNeuron } from "../../../src/simulator/baselines/flashneuron.ts";
import { G10_SETTING } from "../../../src/simulator/baselines/setting.ts";
import { simulateUvm } from "../../../src/simulator/baselines/uvm.ts";

const SHARED = path.join(import.meta.dirname, "../../../../shared/data/graphs");
const graphOf = (file: string): Promise<GraphFile> => readGraph(path.join(SHARED, file));

describe.skipIf(!existsSync(SHARED))("G10's traces (MICRO 2023, artifact), one set of parameters for all", () => {
  describe.each(G10_NETWORKS)("$name at its traced batch", ({ name, file, tracedBatch, cells }) => {
    const published = cells[tracedBatch];

    it("has the published ideal time, to the trace's digits", async () => {
      const { kernels } = await graphOf(file);
      expect(kernels.reduce((sum, { ms }) => sum + ms, 0) / (published?.idealMs ?? 0)).toBeCloseTo(1, 6);
    });

    it("takes the published time under FlashNeuron, within 1 %", async () => {
      const run = simulateFlashNeuron(await graphOf(file), G10_SETTING);
      expect(Math.abs((run?.stepMs ?? 0) / (published?.flashNeuronMs ?? 0) - 1)).toBeLessThan(0.01);
    });

    it("takes the published time under demand paging (lru), within 1.5 %", async () => {
      const { reported } = simulateUvm(await graphOf(file), G10_SETTING, "lru");
      expect(Math.abs(reported.stepMs / (published?.lruMs ?? 0) - 1)).toBeLessThan(0.015);
    });

    const tolerance = name === "Inceptionv3" ? 0.1 : 0.005;
    it(`takes the published time under deepUM, within ${tolerance * 100} %`, async () => {
      const { reported } = simulateUvm(await graphOf(file), G10_SETTING, "deepUM");
      expect(Math.abs(reported.stepMs / (published?.deepUmMs ?? 0) - 1)).toBeLessThan(tolerance);
    });
  });
});

describe.skipIf(!existsSync(SHARED))("DTR's logs (ICLR 2021)", () => {
  const timeAt = async (file: string, share: number): Promise<number | null> => {
    const { stats, ...graph } = await graphOf(file);
    const { stepMs } = simulateDtr(graph, { budgetBytes: share * Number(stats?.["peakBytes"]) });
    return stepMs === null ? null : stepMs / graph.kernels.reduce((sum, { ms }) => sum + ms, 0);
  };

  it("ResNet-32 takes 1.107 of its time in half the memory, as published", async () => {
    expect(await timeAt("dtr-resnet32-56.json.gz", 0.5)).toBeCloseTo(1.107, 3);
  });

  it("U-Net takes 1.159 of its time in half the memory, as published, within 1 %", async () => {
    expect(Math.abs(((await timeAt("dtr-unet-6.json.gz", 0.5)) ?? 0) / 1.159 - 1)).toBeLessThan(0.01);
  });

  it("U-Net runs out of memory at 0.4 of its peak, as published", async () => {
    expect(await timeAt("dtr-unet-6.json.gz", 0.4)).toBeNull();
  });

  it("the LSTM takes less than the published 1.071 in half the memory: the graph has no moments of release", async () => {
    const time = (await timeAt("dtr-lstm-128.json.gz", 0.5)) ?? 0;
    expect(time).toBeGreaterThan(1.03);
    expect(time).toBeLessThan(1.071);
  });
});
