/** The table of `vdnn simulate` and the caption below it. */
import { type Column, renderTable } from "../report/table.ts";
import type { SimulatedMachine } from "../simulator/machines.ts";
import type { SimulatedRun } from "../simulator/row.ts";
import type { Simulation } from "../simulator/simulate.ts";
import type { WorkGraph } from "../simulator/work.ts";
import { formatBytes, formatMs, GIB } from "../units.ts";

export interface SimulationFacts {
  readonly network: string;
  readonly batch: number;
  readonly optimizer: string;
  readonly machine: SimulatedMachine;
  readonly work: WorkGraph;
  readonly simulation: Simulation;
  readonly workspaceLimitBytes: number;
  /** Of the paper's policies: see `SimulateOptions`. */
  readonly synchronization: "layer" | "none";
}

export const COLUMNS: readonly Column<SimulatedRun>[] = [
  { title: "policy", align: "left", cell: ({ policy }) => policy },
  { title: "algorithm", align: "left", cell: ({ algorithm }) => algorithm },
  { title: "fits", align: "left", cell: ({ fits }) => (fits ? "yes" : "NO") },
  { title: "device GiB: peak", cell: ({ peakDeviceBytes }) => gib(peakDeviceBytes) },
  { title: "average", cell: ({ averageDeviceBytes }) => gib(averageDeviceBytes) },
  {
    title: "managed",
    cell: ({ averageManagedBytes, policy }) => (policy === "network-wide" ? "" : gib(averageManagedBytes)),
  },
  { title: "saved", cell: ({ averageSaving, policy }) => (policy === "network-wide" ? "" : percent(averageSaving)) },
  { title: "host GiB", cell: ({ peakHostBytes }) => gib(peakHostBytes) },
  { title: "out GiB/step", cell: ({ offloadBytes }) => gib(offloadBytes) },
  { title: "stall", cell: ({ stallMs }) => formatMs(stallMs) },
  { title: "again", cell: ({ recomputeMs }) => formatMs(recomputeMs) },
  { title: "step", cell: ({ stepMs }) => formatMs(stepMs) },
  { title: "x oracle", cell: ({ ratio }) => ratio.toFixed(3) },
  { title: "loss", cell: ({ loss }) => percent(loss) },
  { title: "chosen", align: "left", cell: chosenText },
];

export function renderSimulation(facts: SimulationFacts): string {
  const rows = facts.simulation.runs.map(({ result }) => result);
  return [...heading(facts), "", ...renderTable(COLUMNS, rows), "", ...caption(facts), ""].join("\n");
}

export function heading({ network, batch, optimizer, machine, work, simulation }: SimulationFacts): string[] {
  const { gpu, link, deviceBytes, hostBytes, flopsPerSecond } = machine;
  const { networkWide: n, oracleMs } = simulation;
  const host = Number.isFinite(hostBytes) ? formatBytes(hostBytes) : "without limit";
  const parts = [
    ["feature maps", n.featureMapBytes + n.inputBytes],
    ["gradient maps", n.gradientMapBytes],
    ["weights and their gradients", n.weightBytes + n.weightGradientBytes],
    ["optimizer state", n.stateBytes],
    ["workspace", n.workspaceBytes],
  ] as const;
  return [
    `${network}, batch ${batch}, ${optimizer}: ${Object.keys(work.layers).length} layers, ${work.kernels.length} kernels`,
    `${gpu.title}: ${formatBytes(deviceBytes)} of device memory, ${(flopsPerSecond / 1e12).toFixed(1)} TFLOPS in FP32, ` +
      `${link.name} (${link.GBps} GB/s each way), host memory ${host}`,
    `network-wide ${formatBytes(n.totalBytes)} (${(n.totalBytes / 1e9).toFixed(1)} GB): ` +
      parts
        .filter(([, bytes]) => bytes > 0)
        .map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
        .join(", "),
    `oracle ${formatMs(oracleMs)}`,
  ];
}

export function caption({ simulation, workspaceLimitBytes, synchronization }: SimulationFacts): string[] {
  const rows = simulation.runs.map(({ result }) => result);
  const isPaper = rows.some(({ policy }) => ["vdnn-all", "vdnn-conv", "vdnn-dyn"].includes(policy));
  return [
    "Everything is simulated; nothing ran. Kernel times are modelled: a roofline with one efficiency per kind of kernel, fitted to",
    "whole networks in soumith/convnet-benchmarks (Titan X, cuDNN R4 and R2), within 25 % of them; ratios mean more than times.",
    "Nothing is fitted to the vDNN paper. Memory of maps and weights follows from shapes; workspaces are modelled, as spectra in",
    `tiles (FFT), at most ${formatBytes(workspaceLimitBytes)} each: an assumption that network-wide depends on.`,
    "algorithm: m memory-optimal (implicit GEMM), p performance-optimal (FFT where it is faster), g between; greedy: p where it",
    "fits, else g. p in parts: with less workspace where room is short, by running on parts of the batch.",
    "oracle: all kernels once, by p, no copies. loss: 1 - oracle / step. managed: feature maps, their gradients and workspaces of",
    "feature extraction layers, average over time; saved: that against network-wide. again: recomputation.",
    ...(isPaper && synchronization === "layer"
      ? [
          "vdnn-*: as in the paper, both streams are synchronized after every layer (--synchronization none: they are not).",
        ]
      : []),
  ];
}

function chosenText({ chosen, downgraded, algorithm }: SimulatedRun): string {
  const texts = [chosen, algorithm === "greedy" && downgraded > 0 ? `${downgraded} kernels not by p` : ""];
  return texts.filter(Boolean).join(", ");
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
