/** The page of `vdnn infer`: where the energy goes, what every layer costs, what the host is left with, and the outputs. */
import { averageMw, energySum } from "../accelerator/infer/power.ts";
import { energyUnit } from "../report/energy-chart.ts";
import { barChartBlock } from "../report/html/charts.ts";
import { type Block, type Figure, type Page, tableBlock } from "../report/html/page.ts";
import { formatBytes, formatMs } from "../units.ts";
import { inferenceChart } from "./infer-chart.ts";
import { energyColumns, timeColumns } from "./infer-columns.ts";
import { hostLines } from "./infer-host.ts";
import { outputLines } from "./infer-outputs.ts";
import { caption, heading, memoryLines, rowsOf, totalLines } from "./infer-table.ts";
import { digits } from "./infer-text.ts";
import type { InferFacts } from "./infer.ts";

export function inferPage(facts: InferFacts): Page {
  const { subject, machine, batch, cost } = facts;
  const rows = rowsOf(facts);
  const host = hostLines(cost.host);
  return {
    title: `${subject.name} on ${machine.name}, batch ${batch}`,
    lead: heading(facts),
    source: "simulated",
    command: "infer",
    figures: figures(facts),
    sections: [
      ...(rows.length === 0
        ? [{ title: "Layers", blocks: [note("No layer runs on it.")] }]
        : [
            { title: "Energy of every layer", blocks: [barChartBlock("energy", inferenceChart(facts))] },
            {
              title: "Layers",
              blocks: [
                tableBlock("Time, and what zeros save.", timeColumns(machine.name), rows),
                tableBlock("Traffic and energy.", energyColumns(cost.totals), rows),
              ],
            },
          ]),
      { title: "In all", blocks: [...totalLines(facts), ...memoryLines(facts)].map(note) },
      ...(host.length === 0 ? [] : [{ title: "Left to the host", blocks: [lines(host)] }]),
      { title: "Outputs", blocks: [lines(outputLines(facts))] },
      { title: "How to read this", blocks: caption(facts).map(note) },
    ].filter(({ blocks }) => blocks.length > 0),
  };
}

function figures({ cost: { totals, layers }, batch }: InferFacts): Figure[] {
  if (layers.length === 0) return [];
  const pj = energySum(totals) / batch;
  const unit = energyUnit(pj);
  const mw = averageMw(totals);
  return [
    {
      label: "Energy of one frame",
      value: `${digits(pj / unit.pj)} ${unit.name}`,
      note: `${((totals.energyPj.dram / energySum(totals)) * 100).toFixed(0)} % of it DRAM`,
    },
    {
      label: "Frames per second",
      value: digits(totals.framesPerSecond),
      note: `${formatMs(totals.totalMs)} for ${batch === 1 ? "one" : `a batch of ${batch}`}`,
    },
    { label: "Average power", value: mw === null ? "-" : `${digits(mw)} mW`, note: "DRAM included" },
    {
      label: "DRAM traffic",
      value: formatBytes(totals.dramBytes.compressed),
      note: `${formatBytes(totals.dramBytes.uncompressed)} if nothing were coded`,
    },
  ];
}

function note(text: string): Block {
  return { kind: "text", text };
}

function lines(all: readonly string[]): Block {
  return { kind: "preformatted", lines: all };
}
