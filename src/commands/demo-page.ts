/** The page of `vdnn demo`: what each policy holds during a step, and what it costs. */
import { timeChartBlock } from "../report/html/charts.ts";
import { type Page, type Section, tableBlock } from "../report/html/page.ts";
import { stepSection } from "../report/html/session-page.ts";
import { machineText } from "../report/machine.ts";
import { outlineChart } from "../report/step-view.ts";
import { formatBytes } from "../units.ts";
import type { DemoFacts } from "./demo.ts";
import { demoColumns, type DemoRow, type DemoRun, heading, notes } from "./demo-table.ts";
import { PLANNED_POLICIES } from "./policy-names.ts";

export function demoPage(facts: DemoFacts, rows: readonly DemoRow[]): Page {
  const { training, stock, budgetBytes, budgetShare } = facts;
  const runs = rows.flatMap((row) => ("failure" in row ? [] : [row]));
  const best = runs.findLast(({ budgetBytes: budget }) => budget !== null);
  const identical = runs.length === rows.length && runs.every((run) => run.identical);
  const times = (run: DemoRun): string => (run.result.steady.medianMs / run.stockMs).toFixed(2);
  return {
    title: `${training.network.name} in a quarter of its memory`.replace("a quarter", shareText(budgetShare)),
    lead: [...heading(facts), `Node.js ${process.version}, ${machineText()}`],
    source: "measured",
    command: "demo",
    figures: [
      { label: "Stock TensorFlow.js", value: formatBytes(stock.steady.peakDeviceBytes), note: "device memory, peak" },
      { label: "Budget", value: formatBytes(budgetBytes), note: `${(budgetShare * 100).toFixed(0)} % of it` },
      ...(best === undefined
        ? []
        : [
            { label: best.policy, value: formatBytes(best.result.steady.peakDeviceBytes), note: "peak, once planned" },
            { label: "Step time", value: `${times(best)} x`, note: `of stock's, under ${best.policy}` },
          ]),
      { label: "Same bits as stock", value: identical ? "yes" : "NO", note: "losses and weights, every run" },
    ],
    sections: [
      outlineSection(facts, runs),
      ...(best === undefined ? [] : lanesSection(best)),
      {
        title: "Policies",
        blocks: [tableBlock("Each trained the same steps, one after the other.", demoColumns(facts), rows)],
      },
      { title: "How to read this", blocks: [{ kind: "text", text: notes(facts, rows).join(" ") }] },
    ],
  };
}

function shareText(share: number): string {
  return share === 0.25 ? "a quarter" : `${(share * 100).toFixed(0)} %`;
}

function outlineSection({ budgetBytes }: DemoFacts, runs: readonly DemoRun[]): Section {
  const title = "Device memory of one step, policy by policy";
  const outlines = runs
    .filter(({ policy }) => policy !== "stock, again")
    .map(({ policy, result }) => ({
      name: policy,
      look: PLANNED_POLICIES.indexOf(policy),
      events: result.history?.steps.at(-1)?.events ?? [],
    }));
  return {
    title,
    blocks: [
      {
        kind: "text",
        text: "The last step of each run, every change of the ledger. Stock and liveness have no budget.",
      },
      timeChartBlock("outlines", outlineChart(title, outlines, { deviceBytes: budgetBytes })),
    ],
  };
}

function lanesSection({ policy, result }: DemoRun): Section[] {
  const step = result.history?.steps.at(-1);
  return step === undefined ? [] : [stepSection("lanes", step, result.report, policy)];
}
