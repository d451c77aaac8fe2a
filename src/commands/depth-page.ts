/** The page of `vdnn depth`: the largest size of every policy, and every size that was tried. */
import type { BarChart } from "../report/bar-chart.ts";
import { barChartBlock } from "../report/html/charts.ts";
import { type Figure, type Page, tableBlock } from "../report/html/page.ts";
import { machineText } from "../report/machine.ts";
import type { Column } from "../report/table.ts";
import { formatBytes } from "../units.ts";
import { caption, type DepthFacts, type DepthRow, depthColumns, heading, largestText } from "./depth-table.ts";
import { STOCK } from "./policy-names.ts";

export function depthPage(facts: DepthFacts, rows: readonly DepthRow[]): Page {
  const { network, searched } = facts.subject;
  return {
    title: `Largest ${searched} of ${network} in ${formatBytes(facts.deviceBytes)}`,
    lead: [...heading(facts), ...(facts.simulated ? [] : [`Node.js ${process.version}, ${machineText()}`])],
    source: facts.simulated ? "simulated" : "measured",
    command: "depth",
    figures: figures(facts, rows),
    sections: [
      { title: `Largest ${searched}, policy by policy`, blocks: [barChartBlock("largest", largestChart(facts, rows))] },
      {
        title: "Policies",
        blocks: [tableBlock(`The largest ${searched} that trains under each.`, depthColumns(facts, rows), rows)],
      },
      {
        title: "Every size that was tried",
        blocks: [tableBlock("In the order of the search.", trialColumns(searched), rows.flatMap(trialsOf))],
      },
      { title: "How to read this", blocks: [{ kind: "text", text: caption(facts, rows).join(" ") }] },
    ],
  };
}

function figures({ subject: { searched } }: DepthFacts, rows: readonly DepthRow[]): Figure[] {
  const stock = rows.find(({ policy }) => policy === STOCK);
  const most = Math.max(0, ...rows.map(({ largest }) => largest ?? 0));
  const best = rows.filter(({ largest }) => largest === most && most > 0);
  return [
    best[0] === undefined
      ? { label: `Largest ${searched}`, value: "none", note: "no policy trains at any size" }
      : {
          label: `Largest ${searched}`,
          value: largestText(best[0]),
          note: best.map(({ policy }) => policy).join(", "),
        },
    ...(stock === undefined
      ? []
      : [{ label: "Stock TensorFlow.js", value: largestText(stock), note: "nothing is freed before the step ends" }]),
    { label: "Trials", value: String(rows.reduce((sum, { trials }) => sum + trials.length, 0)) },
  ];
}

function largestChart({ subject: { searched } }: DepthFacts, rows: readonly DepthRow[]): BarChart {
  return {
    title: `Largest ${searched} of every policy`,
    description: rows.map((row) => `${row.policy}: ${largestText(row)}.`).join(" "),
    axis: searched,
    parts: [`largest ${searched}`],
    bars: rows.map((row) => ({ name: row.policy, values: [row.largest ?? 0], label: largestText(row) })),
  };
}

interface Trial {
  readonly policy: string;
  readonly size: number;
  readonly outcome: string;
}

function trialColumns(searched: string): Column<Trial>[] {
  return [
    { title: "policy", align: "left", cell: ({ policy }) => policy },
    { title: searched, cell: ({ size }) => String(size) },
    { title: "outcome", align: "left", cell: ({ outcome }) => outcome },
  ];
}

const OUTCOMES = { trains: "trains", "too-large": "does not fit", timeout: "timed out", crash: "crashed" } as const;

function trialsOf({ policy, trials }: DepthRow): Trial[] {
  return trials.map(({ size, outcome, reason }) => ({
    policy,
    size,
    outcome: reason === undefined ? OUTCOMES[outcome] : `${OUTCOMES[outcome]}: ${reason}`,
  }));
}
