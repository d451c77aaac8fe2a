/** vDNN as its paper runs it: valid steps, copies that overlap with one layer, and budgets that hold. */
import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { dryRun } from "../../src/plan/ledger.ts";
import { validate } from "../../src/plan/validate.ts";
import { bytesAtKernels, layeredSteps, type Offloading } from "../../src/simulator/layered.ts";
import { timed } from "../../src/simulator/kernel-times.ts";
import { plannerMachine } from "../../src/simulator/machines.ts";
import { occupancy } from "../../src/simulator/occupancy.ts";
import { synchronousRun } from "../../src/simulator/timed-steps.ts";
import { TITAN_X, workGraph } from "./graphs.ts";

const NETWORKS = ["alexnet", "googlenet", "resnet-50", "densenet-121", "transformer"] as const;
const CASES = NETWORKS.flatMap((name) =>
  (["none", "conv", "all"] as const).map((offloading) => [name, offloading] as const),
);

function graphOf(name: string): Graph {
  return timed(workGraph(name, 8), TITAN_X, { algorithms: () => "p" });
}

describe.each<readonly [string, Offloading]>(CASES)("%s, offloading %s", (name, offloading) => {
  const graph = graphOf(name);
  const groups = layeredSteps(graph, offloading);
  const run = synchronousRun(graph, plannerMachine(TITAN_X), groups);

  test("makes steps that keep every rule", () => {
    const { peakDeviceBytes } = dryRun(graph, groups.flat());
    expect(() => validate(graph, groups.flat(), peakDeviceBytes)).not.toThrow();
  });

  test("has the peak of the dry run", () => {
    expect(occupancy(graph, run).peakDeviceBytes).toBe(dryRun(graph, groups.flat()).peakDeviceBytes);
  });

  test("starts no layer before the last one's copies have ended", () => {
    const queue = [...run.steps];
    let ended = 0;
    for (const group of groups) {
      const own = queue.splice(0, group.length);
      for (const { startMs } of own) expect(startMs).toBeGreaterThanOrEqual(ended);
      ended = Math.max(ended, ...own.map(({ endMs }) => endMs));
    }
  });

  test("sends out each tensor once and calls back each", () => {
    const of = (kind: string): number[] =>
      groups.flat().flatMap((step) => (step.kind === kind && "tensor" in step ? [step.tensor] : []));
    expect(new Set(of("offload")).size).toBe(of("offload").length);
    expect(new Set(of("prefetch"))).toEqual(new Set(of("offload")));
    expect(of("prefetch")).toHaveLength(of("offload").length);
    if (offloading === "none") expect(of("offload")).toEqual([]);
  });
});

test("the bytes at a kernel are those of the dry run, without workspace", () => {
  const graph = graphOf("alexnet");
  const groups = layeredSteps(graph, "all");
  const bytes = bytesAtKernels(graph, groups);
  const withoutWorkspace = { ...graph, kernels: graph.kernels.map((kernel) => ({ ...kernel, workspaceBytes: 0 })) };
  expect(Math.max(...bytes)).toBe(dryRun(withoutWorkspace, groups.flat()).peakDeviceBytes);
});
