/**
 * The vDNN paper's figures (Rhu et al., MICRO 2016) beside the simulator's. No constant of the simulator was fitted to them; the
 * 4 GiB workspace limit is an assumption on which the first two depend (Note [Workspace of p]).
 */
import { describe, expect, test } from "vitest";
import { networkWide } from "../../src/simulator/accounting.ts";
import { timed } from "../../src/simulator/kernel-times.ts";
import { simulatedMachine } from "../../src/simulator/machines.ts";
import type { SimulatedRun } from "../../src/simulator/row.ts";
import { simulate } from "../../src/simulator/simulate.ts";
import { TITAN_X, workGraph } from "./graphs.ts";

function run(network: string, batch: number, policy: string, algorithm?: "m" | "p"): SimulatedRun {
  const work = workGraph(network, batch);
  const [first] = simulate({ work, machine: TITAN_X, policies: [policy], algorithm }).runs;
  return (first as { result: SimulatedRun }).result;
}

describe("network-wide memory", () => {
  test.each([
    ["vgg-16", 256, 28],
    ["vgg-416", 32, 67],
  ])("%s, batch %d: within a tenth of the published %d GB", (network, batch, gigabytes) => {
    const work = workGraph(network, batch);
    const { totalBytes } = networkWide(timed(work, TITAN_X, { algorithms: () => "p" }), work.weightGradients);
    expect(totalBytes / 1e9 / gigabytes).toBeGreaterThan(0.9);
    expect(totalBytes / 1e9 / gigabytes).toBeLessThan(1.1);
  });

  test("is the sum of its parts, and without workspaces by m", () => {
    const work = workGraph("vgg-16", 64);
    const { totalBytes, ...parts } = networkWide(timed(work, TITAN_X, { algorithms: () => "m" }), work.weightGradients);
    expect(parts.workspaceBytes).toBe(0);
    expect(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)).toBe(totalBytes);
  });
});

describe("on a Titan X of 12 GB", () => {
  test.each([
    ["vgg-16", 256],
    ["vgg-416", 32],
  ])("%s, batch %d trains under vdnn-dyn and not network-wide", (network, batch) => {
    expect(run(network, batch, "vdnn-dyn").fits).toBe(true);
    expect(run(network, batch, "network-wide").fits).toBe(false);
  });

  test("VGG-16, batch 256: vdnn-dyn loses within 5 points of the published 18 %", () => {
    const { loss } = run("vgg-16", 256, "vdnn-dyn");
    expect(Math.abs(loss - 0.18)).toBeLessThan(0.05);
  });

  test("VGG-16, batch 256: auto trains there and loses under 5 %", () => {
    const { fits, loss, peakDeviceBytes } = run("vgg-16", 256, "auto");
    expect(fits).toBe(true);
    expect(peakDeviceBytes).toBeLessThanOrEqual(TITAN_X.deviceBytes);
    expect(loss).toBeLessThan(0.05);
  });

  test.each([
    ["alexnet", 0.89],
    ["overfeat", 0.91],
    ["googlenet", 0.95],
  ])(
    "%s, batch 128: average memory falls within 5 points of the published %s under vdnn-all by m",
    (network, saving) => {
      expect(Math.abs(run(network, 128, "vdnn-all", "m").averageSaving - saving)).toBeLessThan(0.05);
    },
  );
});

describe("simulate", () => {
  test("loses nothing on a GPU without limits", () => {
    const machine = simulatedMachine({ gpu: "titan-x", deviceBytes: 1e15 });
    const { runs } = simulate({
      work: workGraph("alexnet", 32),
      machine,
      policies: ["network-wide", "liveness", "vdnn-dyn", "auto"],
    });
    for (const { result } of runs) expect(result).toMatchObject({ fits: true, stallMs: 0, offloadBytes: 0, loss: 0 });
  });

  test("is never slower over a faster link", () => {
    const work = workGraph("vgg-16", 64);
    const stepMs = [6, 12, 24, 48].map((link) => {
      const machine = simulatedMachine({ gpu: "titan-x", link });
      return simulate({ work, machine, policies: ["vdnn-all"], algorithm: "p" }).runs[0]?.result.stepMs ?? 0;
    });
    expect(stepMs).toEqual(stepMs.toSorted((a, b) => b - a));
  });

  test("refuses an unknown policy with the nearest names", () => {
    expect(() => simulate({ work: workGraph("alexnet", 1), machine: TITAN_X, policies: ["vdnn-al"] })).toThrowError(
      /did you mean vdnn-all/,
    );
  });
});
