/** The result of dtr.ts, what DTR publishes, and the table. */
import { formatBytes } from "../src/units.ts";
import type { Environment, Table } from "./harness.ts";

export interface DtrNetwork {
  readonly name: string;
  readonly file: string;
  /** Time over baseline that DTR publishes for a budget of half the peak. */
  readonly publishedAtHalf: number;
}

/** Published values for logs that are not here: DenseNet 1.176, Inception-v4 1.092, Transformer 1.058, TreeLSTM 1.127, unrolled GAN 1.069. */
export const DTR_NETWORKS: readonly DtrNetwork[] = [
  { name: "ResNet-32", file: "dtr-resnet32-56.json.gz", publishedAtHalf: 1.107 },
  { name: "U-Net", file: "dtr-unet-6.json.gz", publishedAtHalf: 1.159 },
  { name: "LSTM", file: "dtr-lstm-128.json.gz", publishedAtHalf: 1.071 },
];

/** Times are over the time of all kernels once. */
export interface DtrPoint {
  readonly share: number;
  readonly budgetBytes: number;
  /** Null: the planner found no plan that fits, or the validator rejects it. */
  readonly auto: number | null;
  readonly fault: string | null;
  readonly bound: number;
  /** Measured. */
  readonly planningMs: number;
  readonly dtr: number | null;
  readonly dtrFailure: "memory" | "time" | null;
  readonly dtrEvictions: number;
}

export interface DtrSeries {
  readonly network: string;
  readonly kernels: number;
  /** `log`: the peak of DTR's log. `graph`: the peak with everything freed after its last use, where that is another one. */
  readonly peakOf: "log" | "graph";
  readonly peakBytes: number;
  readonly publishedAtHalf: number | null;
  readonly points: readonly DtrPoint[];
}

export interface DtrResult {
  readonly schema: "vdnn-bench-dtr/1";
  readonly question: string;
  readonly environment: Environment;
  readonly series: readonly DtrSeries[];
}

export function dtrTables({ series }: DtrResult): Table[] {
  const shares = series[0]?.points.map(({ share }) => share) ?? [];
  return [
    {
      caption:
        "Step time over that of all kernels once, in a share of the peak memory and without any transfers, simulated on DTR's logs: vdnn's auto, " +
        "the lower bound for its execution model, DTR's heuristic h_DTR run over the same graph in the same accounting, and DTR as published " +
        "(at half only; U-Net at 0.4 is published as out of memory). The graphs hold no moments of release: for the LSTM the log's peak is higher " +
        "than what is alive, so its shares are given of both peaks.",
      header: ["network", "", ...shares.map(String)],
      rows: series.flatMap(seriesRows),
    },
  ];
}

function seriesRows({ network, peakOf, peakBytes, publishedAtHalf, points }: DtrSeries): string[][] {
  const name = `${network}, ${formatBytes(peakBytes)}${peakOf === "graph" ? " alive" : ""}`;
  const published = points.map(({ share }) =>
    share === 0.5 && publishedAtHalf !== null ? ratio(publishedAtHalf) : "",
  );
  return [
    [name, "auto", ...points.map(({ auto, fault }) => (auto === null ? (fault?.split(":")[0] ?? "") : ratio(auto)))],
    [name, "bound", ...points.map(({ bound }) => ratio(bound))],
    [name, "DTR, here", ...points.map(({ dtr, dtrFailure }) => (dtr === null ? `out of ${dtrFailure}` : ratio(dtr)))],
    ...(publishedAtHalf === null ? [] : [[name, "DTR, published", ...published]]),
  ];
}

function ratio(value: number): string {
  return value.toFixed(3);
}
