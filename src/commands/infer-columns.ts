/** Columns of the two tables of `vdnn infer`: time and zeros, and traffic and energy. */
import { ENERGY_PARTS, type LayerCost, type MemoryLevel } from "../accelerator/cost.ts";
import type { LayerResult } from "../accelerator/infer/network-cost.ts";
import { averageMw, energySum } from "../accelerator/infer/power.ts";
import { energyUnit } from "../report/energy-chart.ts";
import type { Column } from "../report/table.ts";
import { formatBytes } from "../units.ts";
import { digits, percent } from "./infer-text.ts";

/** A layer, or the sum of all of them, which has no result of its own. */
export interface Row {
  readonly cost: LayerCost;
  readonly result: LayerResult | null;
}

const LAYER: Column<Row> = {
  title: "layer",
  align: "left",
  cell: ({ cost: { layer }, result }) =>
    result === null || result.runs === 1 ? layer.name : `${layer.name} x ${result.runs}`,
};

export function timeColumns(accelerator: string): Column<Row>[] {
  const mapping: Column<Row> = {
    title: "mapping m,n,e,p,q,r,t",
    align: "left",
    cell: ({ result }) => mappingText(result),
  };
  return [
    LAYER,
    { title: "size", align: "left", cell: ({ result }) => (result === null ? "" : sizeText(result)) },
    ...(accelerator === "eyeriss" ? [mapping] : []),
    { title: "cycles", cell: ({ cost: { cycles } }) => Math.round(cycles).toLocaleString("en-US") },
    { title: "ms", cell: ({ cost: { totalMs } }) => digits(totalMs) },
    { title: "use", cell: ({ cost: { utilization } }) => percent(utilization) },
    { title: "MMACs", cell: ({ cost: { macs } }) => digits(macs / 1e6) },
    { title: "gated", cell: ({ cost: { gatedMacs, macs } }) => percent(gatedMacs / macs) },
    { title: "skipped", cell: ({ cost: { skippedMacs, macs } }) => percent(skippedMacs / macs) },
    { title: "density in", cell: ({ result }) => densityText(result, "inputs") },
    { title: "weights", cell: ({ result }) => densityText(result, "weights") },
    { title: "out", cell: ({ result }) => densityText(result, "outputs") },
    ...(accelerator === "eie" ? EIE_COLUMNS : []),
  ];
}

/** Its matrices rest in SRAM, so their size is no traffic. */
const EIE_COLUMNS: readonly Column<Row>[] = [
  { title: "simulated", cell: ({ result }) => eieText(result, (eie) => `${eie.simulatedVectors} of ${eie.vectors}`) },
  { title: "matrix: plain", cell: ({ result }) => eieText(result, ({ storage }) => formatBytes(storage.denseBytes)) },
  { title: "coded", cell: ({ result }) => eieText(result, ({ storage }) => formatBytes(storage.layerBytes)) },
];

export function energyColumns(total: Pick<LayerCost, "energyPj">): Column<Row>[] {
  // So that layers of a thousandth of the sum have a digit before the point.
  const unit = energyUnit(energySum(total) / 1e3);
  const parts = ENERGY_PARTS.filter((part) => total.energyPj[part] > 0);
  const words = (level: MemoryLevel) => (row: Row) => digits(row.cost.accesses[level] / 1e3);
  return [
    LAYER,
    { title: "DRAM: plain", cell: ({ cost: { dramBytes } }) => formatBytes(dramBytes.uncompressed) },
    { title: "coded", cell: ({ cost: { dramBytes } }) => formatBytes(dramBytes.compressed) },
    { title: "k words: DRAM", cell: words("dram") },
    { title: "buffer", cell: words("buffer") },
    { title: "array", cell: words("array") },
    { title: "registers", cell: words("registers") },
    ...parts.map((part, i) => ({
      title: `${i === 0 ? `${unit.name}: ` : ""}${part === "dram" ? "DRAM" : part}`,
      cell: ({ cost }: Row) => digits(cost.energyPj[part] / unit.pj),
    })),
    { title: "sum", cell: ({ cost }) => digits(energySum(cost) / unit.pj) },
    { title: "mW", cell: ({ cost }) => digits(averageMw(cost) ?? 0) },
    { title: "chip mW", cell: ({ cost: { chipMw } }) => (chipMw === null ? "-" : digits(chipMw)) },
  ];
}

function sizeText({ cost: { layer } }: LayerResult): string {
  const { kind, groups, channels, filters, filterHeight, filterWidth, outputHeight, outputWidth, stride } = layer;
  const ends = `${channels * groups} > ${filters}`;
  const parts = groups > 1 ? `, ${groups} groups` : "";
  if (kind === "fully-connected") return `${ends}${parts}`;
  const window = `${filterHeight}x${filterWidth}${stride > 1 ? `/${stride}` : ""}`;
  return `${ends}, ${window}${parts}, ${outputHeight}x${outputWidth}`;
}

function mappingText(result: LayerResult | null): string {
  if (result?.details.kind !== "eyeriss") return "";
  const { mapping, origin } = result.details;
  const { m, n, e, p, q, r, t } = mapping;
  return `${[m, n, e, p, q, r, t].join(",")} ${origin}`;
}

type EieDetails = Extract<LayerResult["details"], { readonly kind: "eie" }>;

function eieText(result: LayerResult | null, text: (details: EieDetails) => string): string {
  return result?.details.kind === "eie" ? text(result.details) : "";
}

function densityText(result: LayerResult | null, what: "inputs" | "weights" | "outputs"): string {
  return result === null ? "" : percent(result.layer.densities[what]);
}
