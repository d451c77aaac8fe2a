/** The page of `vdnn plan`. */
import type { Why } from "../plan/describe.ts";
import { spansOf } from "../plan/spans.ts";
import { timeChartBlock } from "../report/html/charts.ts";
import { type Page, type Section, tableBlock } from "../report/html/page.ts";
import { planColumns } from "../report/plan-table.ts";
import type { TraceEvent } from "../report/result.ts";
import { outlineChart, STEP_NOTE, stepChart } from "../report/step-view.ts";
import { renderWhy } from "../report/why.ts";
import { formatBytes, formatMs } from "../units.ts";
import { heading, type MadeRow, type Proof, verdicts } from "./plan-document.ts";
import type { PlanSource } from "./plan-source.ts";
import { planEvents } from "./plan-trace.ts";
import { PLANNED_POLICIES, STOCK } from "./policy-names.ts";

export function planPage(source: PlanSource, made: readonly MadeRow[], proof: Proof | null, why: Why | null): Page {
  const { graph, machine } = source;
  const fitting = made.filter(({ fits }) => fits);
  const fastest = fitting.toSorted((a, b) => a.predicted.stepMs - b.predicted.stepMs)[0];
  const [first] = made;
  return {
    title: graph.name,
    lead: heading(source, first),
    source: "planned",
    command: "plan",
    figures:
      fastest === undefined
        ? [{ label: "Fits", value: "no plan", note: `in ${formatBytes(machine.deviceBytes)}` }]
        : figuresOf(fastest, machine.deviceBytes),
    sections: [
      ...(fastest === undefined ? [] : stepSections(source, fitting, fastest)),
      {
        title: fitting.length === made.length && made.length === 1 ? "The plan" : "Policies",
        blocks: [
          tableBlock(
            "Predicted. oracle: all kernels once, memory without end. again: recomputation.",
            planColumns(made),
            made,
          ),
          { kind: "notes", notes: verdicts(made, proof) },
        ],
      },
      ...(why === null || first === undefined
        ? []
        : [
            {
              title: "Why",
              blocks: [{ kind: "preformatted", lines: renderWhy(why, first.predicted, machine.deviceBytes) } as const],
            },
          ]),
    ],
  };
}

function figuresOf({ policy, predicted, totals }: MadeRow, deviceBytes: number): Page["figures"] {
  const { stepMs, oracleMs, lowerBoundMs, peakDeviceBytes, peakHostBytes, offloadBytes, stallMs, recomputeMs } =
    predicted;
  const budget = Number.isFinite(deviceBytes) ? `of ${formatBytes(deviceBytes)}` : "no budget";
  return [
    { label: `Step under ${policy}`, value: formatMs(stepMs), note: `${(stepMs / oracleMs).toFixed(3)} x oracle` },
    { label: "Lower bound", value: formatMs(lowerBoundMs), note: "no schedule under this budget is faster" },
    { label: "Device peak", value: formatBytes(peakDeviceBytes), note: budget },
    { label: "Host peak", value: formatBytes(peakHostBytes), note: `${formatBytes(offloadBytes)} offloaded per step` },
    { label: "Stall", value: formatMs(stallMs), note: "compute waits" },
    { label: "Kernels again", value: formatMs(recomputeMs), note: `${totals.kernelRuns} kernels run in all` },
  ];
}

function stepSections(source: PlanSource, fitting: readonly MadeRow[], fastest: MadeRow): Section[] {
  const { graph, machine } = source;
  const eventsOf = ({ plan }: MadeRow): TraceEvent[] =>
    planEvents(graph, plan.steps, spansOf(graph, machine, plan.steps));
  const one = `One step under ${fastest.policy}`;
  const all = "Device memory of one step, policy by policy";
  const budgets = { deviceBytes: machine.deviceBytes, hostBytes: machine.hostBytes };
  return [
    {
      title: one,
      blocks: [{ kind: "text", text: STEP_NOTE }, timeChartBlock("lanes", stepChart(one, eventsOf(fastest), budgets))],
    },
    ...(fitting.length < 2
      ? []
      : [
          {
            title: all,
            blocks: [
              timeChartBlock(
                "outlines",
                outlineChart(
                  all,
                  fitting.map((row) => ({ name: row.policy, look: lookOf(row.policy), events: eventsOf(row) })),
                  { deviceBytes: machine.deviceBytes },
                ),
              ),
            ],
          },
        ]),
  ];
}

/** A plan names its policy with the choice that it made: `vdnn-dyn: vdnn-conv`. */
function lookOf(policy: string): number {
  const name = policy.replace(/:.*$/, "");
  return Math.max(0, PLANNED_POLICIES.indexOf(name === "none" ? STOCK : name));
}
