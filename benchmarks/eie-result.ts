/** The result of eie.ts and its tables. Nothing is simulated here. */
import type { ClaimCheck } from "../src/accelerator/claims.ts";
import type { Host } from "../src/accelerator/eie/published.ts";
import type { Environment, Table } from "./harness.ts";

export interface FifoRow {
  readonly fifo: number;
  readonly cycles: number;
  readonly publishedCycles: number;
  readonly efficiency: number;
  /** Against the outputs that come with the data. */
  readonly maxError: number | null;
  /** Measured, reading not included. */
  readonly ms: number;
}

export interface LayerRow {
  readonly name: string;
  readonly theoreticalUs: number;
  readonly publishedTheoreticalUs: number;
  readonly actualUs: number;
  readonly publishedActualUs: number;
  readonly efficiency: number;
  readonly fillerShare: number;
  readonly impliedActivationDensity: number;
  /** What of the layer does not fit into the SRAM. */
  readonly overflow: readonly string[];
  readonly explanation: string | null;
}

export interface HeadlineRow {
  readonly what: string;
  /** As printed, out of the published table, and modelled. */
  readonly stated: number;
  readonly recomputed: number;
  readonly modelled: number;
}

export interface EieResult {
  readonly schema: "vdnn-bench-eie/1";
  readonly question: string;
  readonly environment: Environment;
  readonly seed: number;
  /** Empty where the data is absent. */
  readonly fifo: readonly FifoRow[];
  readonly layers: readonly LayerRow[];
  readonly headlines: readonly HeadlineRow[];
  readonly claim: ClaimCheck;
}

export const HOST_NAMES: Readonly<Record<Host, string>> = {
  cpu: "Core i7-5930K",
  gpu: "Titan X",
  mobileGpu: "Jetson TK1",
};

export function eieTables({ fifo, layers, headlines, claim, seed }: EieResult): Table[] {
  return [
    {
      caption: "AlexNet's FC8, the authors' own data: cycles simulated, against the authors' simulator; ms measured.",
      header: ["queue", "cycles", "authors", "equal", "efficiency", "max error", "ms"],
      rows: fifo.map(({ fifo: depth, cycles, publishedCycles, efficiency, maxError, ms }) => [
        `${depth}`,
        `${cycles}`,
        `${publishedCycles}`,
        cycles === publishedCycles ? "yes" : "NO",
        efficiency.toFixed(3),
        maxError === null ? "" : maxError.toExponential(1),
        ms.toFixed(0),
      ]),
    },
    {
      caption: `Table IV, simulated on random layers of the published densities (seed ${seed}), nothing fitted; µs.`,
      header: ["layer", "theoretical", "paper", "error", "actual", "paper", "error", "efficiency", "fillers", "fits"],
      rows: layers.map((row) => [
        row.explanation === null ? row.name : `${row.name} *`,
        row.theoreticalUs.toFixed(2),
        `${row.publishedTheoreticalUs}`,
        percent(row.theoreticalUs / row.publishedTheoreticalUs - 1),
        row.actualUs.toFixed(2),
        `${row.publishedActualUs}`,
        percent(row.actualUs / row.publishedActualUs - 1),
        row.efficiency.toFixed(2),
        percent(row.fillerShare),
        row.overflow.length === 0 ? "yes" : "no",
      ]),
    },
    {
      caption: layers
        .flatMap(({ name, explanation }) => (explanation === null ? [] : [`The star at ${name}: ${explanation}.`]))
        .concat("Headlines: as printed, out of the published table IV, and out of the simulated one.")
        .join("\n"),
      header: ["figure", "printed", "recomputed", "modelled"],
      rows: headlines.map(({ what, stated, recomputed, modelled }) => [
        what,
        number(stated),
        number(recomputed),
        number(modelled),
      ]),
    },
    {
      caption: `"Up to ${claim.claimed} × a Jetson TK1" (Eyeriss): ${claim.range.map((ratio) => ratio.toFixed(0)).join(" to ")} × is what sources give.`,
      header: ["arithmetic"],
      rows: claim.arithmetic.map((line) => [line]),
    },
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1);
}
