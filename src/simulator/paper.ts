/**
 * The policies of vDNN's paper, as it simulates and runs them: layer by layer (layered.ts), with a choice of algorithm for every
 * convolution.
 *
 * Note [vDNN_dyn]
 * ~~~~~~~~~~~~~~~
 * Section III-C: trials in this order, and the first that fits is taken.
 *   1. every feature map leaves, all convolutions by m: if that does not fit the device, nothing does
 *   2. nothing leaves, all by p: network-wide memory fits
 *   3. conv, all by p     4. all, all by p
 *   5. conv, greedy       6. all, greedy       7. all, m
 * Greedy: each convolution kernel runs by p if its workspace fits beside what is on the device then, else by the next that needs
 * less, which is g. Workspaces are released at once, so these choices do not depend on each other.
 */
import type { Graph } from "../graph/graph.ts";
import type { Machine } from "../plan/policy.ts";
import type { Algorithm } from "./convolution.ts";
import { networkWide } from "./accounting.ts";
import { kernelCost, timed } from "./kernel-times.ts";
import { bytesAtKernels, type Group, layeredSteps, type Offloading } from "./layered.ts";
import type { SimulatedMachine } from "./machines.ts";
import { occupancy } from "./occupancy.ts";
import { synchronousRun, type TimedRun } from "./timed-steps.ts";
import type { WorkGraph } from "./work.ts";

export interface PaperSetting {
  readonly work: WorkGraph;
  readonly machine: SimulatedMachine;
  readonly planner: Machine;
  readonly workspaceLimitBytes: number;
}

/** One trial, run. */
export interface PaperRun {
  readonly graph: Graph;
  readonly run: TimedRun;
  readonly offloading: Offloading;
  /** All by one algorithm, or greedy. */
  readonly algorithm: Algorithm | "greedy";
  /** Convolution kernels that do not run by p. */
  readonly downgraded: number;
  readonly fits: boolean;
}

export function paperRun(setting: PaperSetting, offloading: Offloading, algorithm: Algorithm | "greedy"): PaperRun {
  const { work, machine, planner, workspaceLimitBytes } = setting;
  const base = timed(work, machine, { algorithms: () => "m" });
  const groups = layeredSteps(base, offloading);
  const choices = algorithm === "greedy" ? greedy(setting, base, groups) : undefined;
  const algorithms = (k: number): Algorithm => choices?.[k] ?? (algorithm === "greedy" ? "p" : algorithm);
  const graph = timed(work, machine, { algorithms, workspaceLimitBytes });
  const run = synchronousRun(graph, planner, groups);
  const { peakDeviceBytes, peakHostBytes } = occupancy(graph, run);
  return {
    graph,
    run,
    offloading,
    algorithm,
    downgraded: work.kernels.filter(
      ({ work: { convolution } }, k) => convolution !== undefined && algorithms(k) !== "p",
    ).length,
    fits: peakDeviceBytes <= planner.deviceBytes && peakHostBytes <= planner.hostBytes,
  };
}

/**
 * Note [vDNN_dyn].
 *
 * @param only one algorithm for all convolutions, so that only what leaves is left to choose
 */
export function vdnnDyn(setting: PaperSetting, only?: Algorithm): PaperRun {
  const { work, planner } = setting;
  const last = paperRun(setting, "all", only ?? "m");
  if (occupancy(last.graph, last.run).peakDeviceBytes > planner.deviceBytes) return last;
  const free = paperRun(setting, "none", only ?? "p");
  if (networkWide(free.graph, work.weightGradients).totalBytes <= planner.deviceBytes) return { ...free, fits: true };
  for (const algorithm of only === undefined ? (["p", "greedy"] as const) : [only]) {
    for (const offloading of ["conv", "all"] as const) {
      const trial = paperRun(setting, offloading, algorithm);
      if (trial.fits) return trial;
    }
  }
  return last;
}

function greedy(setting: PaperSetting, base: Graph, groups: readonly Group[]): Algorithm[] {
  const { work, machine, planner, workspaceLimitBytes } = setting;
  const bytes = bytesAtKernels(base, groups);
  return work.kernels.map((kernel, k) => {
    const { workspaceBytes } = kernelCost(kernel.work, "p", machine, workspaceLimitBytes);
    return (bytes[k] ?? 0) + workspaceBytes <= planner.deviceBytes ? "p" : "g";
  });
}
