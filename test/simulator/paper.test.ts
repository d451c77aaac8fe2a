/** The paper's policies: the order of vDNN_dyn's trials, and budgets that hold. */
import { describe, expect, test } from "vitest";
import { kernelCost } from "../../src/simulator/kernel-times.ts";
import { bytesAtKernels, layeredSteps } from "../../src/simulator/layered.ts";
import { simulatedMachine } from "../../src/simulator/machines.ts";
import { occupancy } from "../../src/simulator/occupancy.ts";
import { paperRun, type PaperSetting, vdnnDyn } from "../../src/simulator/paper.ts";
import { paperSetting, workGraph } from "./graphs.ts";

const GB = 1e9;

function setting(network: string, batch: number, deviceBytes: number, hostBytes?: number): PaperSetting {
  return paperSetting(workGraph(network, batch), simulatedMachine({ gpu: "titan-x", deviceBytes, hostBytes }));
}

describe("vdnnDyn", () => {
  // As memory shrinks: VGG-16, batch 64, takes 9 GB network-wide.
  test.each([
    [16, "none", "p"],
    [7, "conv", "p"],
    [5, "conv", "greedy"],
    [4, "conv", "greedy"],
  ])("on %d GB: %s, %s", (gigabytes, offloading, algorithm) => {
    expect(vdnnDyn(setting("vgg-16", 64, gigabytes * GB))).toMatchObject({ offloading, algorithm, fits: true });
  });

  test.each(["vgg-16", "googlenet", "resnet-50"])(
    "%s: fits wherever all by m does, and keeps its budget",
    (network) => {
      const least = occupancyOf(paperRun(setting(network, 32, 12 * GB), "all", "m"));
      for (const share of [0.9, 1, 1.1, 1.4, 2, 4]) {
        const made = vdnnDyn(setting(network, 32, Math.ceil(least * share)));
        expect(made.fits).toBe(share >= 1);
        if (made.fits && made.offloading !== "none")
          expect(occupancyOf(made)).toBeLessThanOrEqual(Math.ceil(least * share));
      }
    },
  );

  test("takes what needs less host memory where that is short, and says when it is too short", () => {
    const unlimited = vdnnDyn(setting("vgg-16", 64, 5 * GB));
    const { peakHostBytes } = occupancy(unlimited.graph, unlimited.run);
    expect(vdnnDyn(setting("vgg-16", 64, 5 * GB, peakHostBytes)).fits).toBe(true);
    expect(vdnnDyn(setting("vgg-16", 64, 5 * GB, peakHostBytes / 2)).fits).toBe(false);
  });
});

test("greedy takes p wherever its workspace fits, and only there", () => {
  const paper = setting("vgg-16", 64, 5 * GB);
  const { graph } = paperRun(paper, "conv", "greedy");
  const bytes = bytesAtKernels(graph, layeredSteps(graph, "conv"));
  paper.work.kernels.forEach(({ work }, k) => {
    const { workspaceBytes } = kernelCost(work, "p", paper.machine, paper.workspaceLimitBytes);
    if (workspaceBytes === 0) return;
    const fits = (bytes[k] ?? 0) + workspaceBytes <= paper.planner.deviceBytes;
    expect(graph.kernels[k]?.workspaceBytes).toBe(fits ? workspaceBytes : undefined);
  });
});

function occupancyOf({ graph, run }: ReturnType<typeof paperRun>): number {
  return occupancy(graph, run).peakDeviceBytes;
}
