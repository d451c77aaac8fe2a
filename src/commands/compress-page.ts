/** The page of `vdnn compress`: accuracy and size stage by stage, the layers, and what each of them costs when it alone is pruned. */
import type { BarChart } from "../report/bar-chart.ts";
import type { LineChart } from "../report/chart.ts";
import { barChartBlock, lineChartBlock } from "../report/html/charts.ts";
import { type Figure, type Page, type Section, tableBlock } from "../report/html/page.ts";
import { machineText } from "../report/machine.ts";
import { formatBytes } from "../units.ts";
import type { Sensitivities } from "../compression/training/sensitivity.ts";
import {
  closing,
  heading,
  LAYER_COLUMNS,
  layerRows,
  percent,
  sensitivitiesShown,
  sensitivityCaption,
  sensitivityColumns,
  type Stage,
  stageColumns,
  stages,
  times,
} from "./compress-table.ts";
import type { CompressFacts } from "./compress.ts";

const KIB = 1024;

export function compressPage(facts: CompressFacts): Page {
  const { subject, result, training } = facts;
  const sensitivities = sensitivitiesShown(facts);
  return {
    title: `${subject.name}, compressed`,
    lead: [...heading(facts), `Node.js ${process.version}, ${machineText()}`],
    source: "measured",
    command: "compress",
    figures: figures(facts),
    sections: [
      ...(training === null ? [] : [stageSection(stages(facts, training), result.denseBytes)]),
      {
        title: "Layers",
        blocks: [
          tableBlock("Bits and rates as Deep Compression's tables have them.", LAYER_COLUMNS, layerRows(result.size)),
        ],
      },
      ...(sensitivities === null ? [] : [sensitivitySection(sensitivities)]),
      {
        title: "How to read this",
        blocks: closing(facts)
          .filter((line) => line !== "")
          .map((text) => ({ kind: "text", text })),
      },
    ],
  };
}

function figures({ result, fileBytes, training }: CompressFacts): Figure[] {
  const { denseBytes, size } = result;
  return [
    { label: "File", value: formatBytes(fileBytes), note: `${times(denseBytes / fileBytes)} smaller than its floats` },
    { label: "Weights kept", value: percent(size.kept / size.weights), note: `of ${size.weights} to compress` },
    ...(training === null ? [] : accuracyFigures(training.result.accuracy)),
  ];
}

function accuracyFigures({ dense, loaded }: { readonly dense: number; readonly loaded: number }): Figure[] {
  return [
    { label: "Accuracy of the file", value: percent(loaded, 2), note: "loaded again, on images not trained on" },
    { label: "Accuracy before", value: percent(dense, 2), note: "dense" },
  ];
}

function stageSection(rows: readonly Stage[], denseBytes: number): Section {
  return {
    title: "Stage by stage",
    blocks: [
      tableBlock("Accuracy on images that were not trained on.", stageColumns(denseBytes), rows),
      barChartBlock("sizes", sizeChart(rows)),
    ],
  };
}

function sizeChart(rows: readonly Stage[]): BarChart {
  const bars = rows.flatMap(({ stage, bytes }) =>
    bytes === null ? [] : [{ name: stage, values: [bytes / KIB], label: formatBytes(bytes) }],
  );
  return {
    title: "Size of the weights",
    description: bars.map(({ name, label }) => `${name}: ${label}.`).join(" "),
    axis: "KiB",
    parts: ["size"],
    bars,
  };
}

function sensitivitySection(sensitivities: Sensitivities): Section {
  return {
    title: "Sensitivity of the layers",
    blocks: [
      lineChartBlock("sensitivity", sensitivityChart(sensitivities)),
      tableBlock(`${sensitivityCaption(sensitivities)}.`, sensitivityColumns(sensitivities), sensitivities.layers),
    ],
  };
}

function sensitivityChart({ layers }: Sensitivities): LineChart {
  return {
    title: "Accuracy when one layer is pruned",
    x: { label: "weights kept of the layer, %", kind: "log" },
    y: { label: "accuracy, %" },
    series: layers.map(({ name, points }) => ({
      name,
      points: points.map(({ share, accuracy }) => ({ x: share * 100, y: accuracy * 100 })).toReversed(),
    })),
  };
}
