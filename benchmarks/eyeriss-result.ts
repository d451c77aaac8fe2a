/** The result of eyeriss.ts and its tables. Nothing is modelled here. */
import type { DataflowName } from "../src/accelerator/dataflows/dataflow.ts";
import type { Fig10Energy } from "../src/accelerator/dataflows/published.ts";
import {
  type Figures,
  type LayerAccuracy,
  type NetworkAccuracy,
  type PowerAccuracy,
  sizeOfErrors,
} from "../src/accelerator/eyeriss/accuracy.ts";
import type { Environment, Summary, Table } from "./harness.ts";

export interface SearchRow {
  readonly layer: string;
  /** Total time, maps taken as dense. */
  readonly knownMs: number;
  readonly searchedMs: number;
  readonly knownDramWords: number;
  readonly searchedDramWords: number;
  /** `m n e p q r t`. */
  readonly mapping: string;
}

export interface DataflowRow {
  readonly name: DataflowName;
  readonly title: string;
  readonly bufferKB: number;
  /** Energy over row stationary's; null where a layer does not run. */
  readonly convolutions: number | null;
  readonly fullyConnected: number | null;
}

export interface Fig10Row {
  readonly published: Fig10Energy;
  readonly modelled: Fig10Energy;
}

export interface EyerissResult {
  readonly schema: "vdnn-bench-eyeriss/1";
  readonly question: string;
  readonly environment: Environment;
  readonly networks: readonly NetworkAccuracy[];
  /** AlexNet's CONV3 with the mapping that its published buffer traffic asks for. */
  readonly conv3: LayerAccuracy;
  readonly power: PowerAccuracy;
  /** Of modelling all 18 layers with known mappings, measured. */
  readonly modelMs: Summary;
  readonly search: readonly SearchRow[];
  readonly fig10: readonly Fig10Row[];
  readonly dataflows: readonly DataflowRow[];
}

export function eyerissTables(result: EyerissResult): Table[] {
  return [
    ...result.networks.map((network) => networkTable(network, result.conv3)),
    headlineTable(result),
    fig10Table(result),
    dataflowTable(result),
    searchTable(result),
  ];
}

const COLUMNS: readonly (readonly [keyof Figures, string, number])[] = [
  ["processingMs", "ms", 1],
  ["totalMs", "total ms", 1],
  ["bufferMB", "buffer MB", 1],
  ["dramMB", "DRAM MB", 2],
  ["powerMw", "mW", 0],
  ["activePes", "PEs", 0],
];

function networkTable({ network, batch, layers }: NetworkAccuracy, conv3: LayerAccuracy): Table {
  const isAlexnet = network === "alexnet";
  const rows = isAlexnet ? layers.flatMap((row) => (row.layer === "CONV3" ? [row, conv3] : [row])) : layers;
  const mean = COLUMNS.map(([column]) => sizeOfErrors(layers.map(({ errors }) => errors[column])));
  const mappings = isAlexnet
    ? "published mappings; CONV3 again with q r = 6, which its buffer traffic asks for"
    : "mappings inferred from this table";
  return {
    caption:
      `Eyeriss chip, ${isAlexnet ? "AlexNet" : "VGG-16"}, ${batch} maps: modelled, and error against JSSC 2017, ` +
      `table ${isAlexnet ? "V" : "VI"}; ${mappings}. Total ms and mW use constants fitted to these tables.`,
    header: ["layer", ...COLUMNS.flatMap(([, title]) => [title, "error"])],
    rows: [
      ...rows.map(({ layer, modelled, errors, origin }) => [
        origin === "given" ? `${layer}, q r = 6` : layer,
        ...COLUMNS.flatMap(([column, , digits]) => [modelled[column].toFixed(digits), percent(errors[column])]),
      ]),
      ["mean error", ...mean.flatMap((error) => ["", percent(error.mean, false)])],
      ["greatest", ...mean.flatMap((error) => ["", percent(error.greatest, false)])],
    ],
  };
}

function headlineTable({ networks, power, modelMs }: EyerissResult): Table {
  const leftOut = sizeOfErrors(power.leftOut);
  return {
    caption:
      `Headlines, modelled against printed. Power left out one layer of 18 at a time: mean error ${percent(leftOut.mean, false)}, ` +
      `greatest ${percent(leftOut.greatest, false)}. All 18 layers take ${modelMs.median.toFixed(2)} ms to model, measured.`,
    header: ["network", "frames/s", "printed", "error", "mW", "printed", "error", "DRAM/MAC", "printed", "error"],
    rows: networks.map(({ network, totals, measured }) => {
      const { framesPerSecond, dramWordsPerMac } = totals;
      const mw = totals.chipMw ?? Number.NaN;
      return [
        network,
        framesPerSecond.toFixed(2),
        `${measured.framesPerSecond}`,
        percent(framesPerSecond / measured.framesPerSecond - 1),
        mw.toFixed(0),
        `${measured.powerMw}`,
        percent(mw / measured.powerMw - 1),
        dramWordsPerMac.toFixed(5),
        `${measured.dramWordsPerMac}`,
        percent(dramWordsPerMac / measured.dramWordsPerMac - 1),
      ];
    }),
  };
}

function fig10Table({ fig10 }: EyerissResult): Table {
  const parts = ["arithmetic", "dram", "registers"] as const;
  return {
    caption:
      "Row stationary on 256 elements, 16 maps, energy in 1e9 MACs: modelled, and ISCA 2016, figure 10 (to 0.1).",
    header: ["layer", ...parts.flatMap((part) => [part, "published"])],
    rows: fig10.map(({ published, modelled }) => [
      published.layer,
      ...parts.flatMap((part) => [modelled[part].toFixed(2), published[part].toFixed(2)]),
    ]),
  };
}

function dataflowTable({ dataflows }: EyerissResult): Table {
  const ratio = (value: number | null): string => (value === null ? "does not run" : value.toFixed(2));
  return {
    caption:
      "Energy over row stationary's on the same area, AlexNet, 256 elements, 16 maps, modelled. ISCA 2016: 1.4 to 2.5 in " +
      "convolutions, at least 1.3 in fully connected layers.",
    header: ["dataflow", "buffer KB", "convolutions", "fully connected"],
    rows: dataflows.map(({ name, bufferKB, convolutions, fullyConnected }) => [
      name,
      bufferKB.toFixed(0),
      ratio(convolutions),
      ratio(fullyConnected),
    ]),
  };
}

function searchTable({ search }: EyerissResult): Table {
  return {
    caption: "The best mapping by the model against the known one, maps dense: predicted, no chip has run it.",
    header: ["layer", "known ms", "best ms", "known DRAM words", "best", "m n e p q r t"],
    rows: search.map((row) => [
      row.layer,
      row.knownMs.toFixed(1),
      row.searchedMs.toFixed(1),
      `${(row.knownDramWords / 1e6).toFixed(2)}M`,
      `${(row.searchedDramWords / 1e6).toFixed(2)}M`,
      row.mapping,
    ]),
  };
}

function percent(share: number, isSigned = true): string {
  const text = `${(100 * share).toFixed(1)} %`;
  return isSigned && share >= 0 ? `+${text}` : text;
}
