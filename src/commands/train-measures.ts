/** What `vdnn train` says about a run, and beside it about stock: the rows of its table. */
import type { Column } from "../report/table.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { TrainingResult } from "./training.ts";

export interface Measure {
  readonly title: string;
  readonly value: (result: TrainingResult) => number;
  readonly text: (value: number) => string;
  /** Print the ratio to stock as well. */
  readonly ratio?: boolean;
}

export const MEASURES: readonly Measure[] = [
  { title: "first loss", value: ({ losses }) => losses[0] ?? Number.NaN, text: (loss) => loss.toPrecision(7) },
  { title: "last loss", value: ({ losses }) => losses.at(-1) ?? Number.NaN, text: (loss) => loss.toPrecision(7) },
  { title: "step, median", value: ({ steady }) => steady.medianMs, text: formatMs, ratio: true },
  { title: "step, min", value: ({ steady }) => steady.minMs, text: formatMs, ratio: true },
  { title: "device peak, first step", value: firstPeak, text: formatBytes, ratio: true },
  { title: "device peak, after it", value: ({ steady }) => steady.peakDeviceBytes, text: formatBytes, ratio: true },
  { title: "host peak", value: ({ report }) => report.peakHostBytes, text: formatBytes },
  { title: "spill peak", value: ({ report }) => report.peakSpillBytes, text: formatBytes },
  { title: "moved per step", value: ({ steady }) => steady.movedBytes, text: formatBytes },
  { title: "spilled per step", value: ({ steady }) => steady.spilledBytes, text: formatBytes },
  { title: "stall per step", value: ({ steady }) => steady.stallMs, text: formatMs },
  { title: "demand fetches per step", value: ({ steady }) => steady.demandFetches, text: String },
];

function firstPeak({ report }: TrainingResult): number {
  return report.iterations[0]?.peakDeviceBytes ?? 0;
}

export function measureColumns(result: TrainingResult, stock: TrainingResult | undefined): Column<Measure>[] {
  const column = (title: string, of: TrainingResult): Column<Measure> => ({
    title,
    cell: ({ value, text }) => text(value(of)),
  });
  const first: Column<Measure> = { title: "measured", align: "left", cell: ({ title }) => title };
  if (stock === undefined) return [first, column(result.policy, result)];
  return [
    first,
    column("stock", stock),
    column(result.policy, result),
    {
      title: "ratio",
      cell: ({ value, ratio }) => (ratio === true ? (value(result) / value(stock)).toFixed(3) : ""),
    },
  ];
}
