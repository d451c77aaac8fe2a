/** The page of `vdnn compare`: step time over budget, what each policy holds during a step, its lanes, and the tables. */
import { lineChartBlock, timeChartBlock } from "../report/html/charts.ts";
import { type Figure, type Page, type Section, tableBlock } from "../report/html/page.ts";
import { machineText } from "../report/machine.ts";
import type { TraceEvent } from "../report/result.ts";
import { outlineChart, stepChart, stepNoteOn } from "../report/step-view.ts";
import { traceEvents } from "../simulator/events.ts";
import { occupancy } from "../simulator/occupancy.ts";
import { formatBytes, formatMs } from "../units.ts";
import { comparisonChart } from "./compare-chart.ts";
import type { Planned } from "./compare-planned.ts";
import { budgetText, caption, columns } from "./compare-table.ts";
import type { CompareRow, Comparison } from "./comparison.ts";
import { PLANNED_POLICIES } from "./policy-names.ts";

/** One step of one policy. */
export interface StepView {
  readonly policy: string;
  /** Null for a run without a budget. */
  readonly budgetBytes: number | null;
  /** Made when asked for: few of many are drawn. */
  readonly events: () => readonly TraceEvent[];
}

export function plannedView({
  policy,
  budgetBytes,
  planned: { graph, run },
}: {
  readonly policy: string;
  readonly budgetBytes: number;
  readonly planned: Planned;
}): StepView {
  return {
    policy,
    budgetBytes,
    events: () => traceEvents({ graph, run, samples: occupancy(graph, run).samples }),
  };
}

/** @param views steps that fit their budget, in the order of the tables */
export function comparePage(comparison: Comparison, views: readonly StepView[]): Page {
  const { subject, machine, source } = comparison;
  const chart = comparisonChart(comparison);
  const shown = shownBudget(comparison);
  const title = subject.replace(/:.*$/, "");
  return {
    title,
    lead: [
      ...(subject === title ? [] : [subject]),
      source === "measured" ? `${machine}; Node.js ${process.version}, ${machineText()}` : machine,
    ],
    source,
    command: "compare",
    figures: figures(comparison, shown),
    sections: [
      { title: "Step time over device budget", blocks: [lineChartBlock("budgets", chart)] },
      ...outlineSections(comparison, views),
      ...(shown === undefined ? [] : laneSections(shown, views, comparison.backend)),
      {
        title: "Policies",
        blocks: comparison.budgets.map((budget) =>
          tableBlock(
            budgetText(budget, comparison),
            columns(comparison),
            comparison.rows.filter(({ budgetBytes }) => budgetBytes === budget.deviceBytes),
          ),
        ),
      },
      { title: "How to read this", blocks: [{ kind: "text", text: caption(comparison).join(" ") }] },
    ],
  };
}

const OWN = "auto";

/** The row that is looked at closely: `auto`, or else the fastest policy, at the smallest budget that it trains under. */
function shownBudget({ rows }: Comparison): CompareRow | undefined {
  const trains = rows.filter(({ outcome }) => outcome === "trains");
  const own = trains.filter(({ policy }) => policy === OWN);
  const order = (own.length > 0 ? own : trains).toSorted(
    (a, b) => a.budgetBytes - b.budgetBytes || (a.stepMs ?? 0) - (b.stepMs ?? 0),
  );
  return order[0];
}

function figures({ baselines, oracleMs }: Comparison, shown: CompareRow | undefined): Figure[] {
  return [
    ...(shown === undefined
      ? [{ label: "Trains", value: "no policy", note: "under any of these budgets" }]
      : [
          {
            label: `${shown.policy} at ${formatBytes(shown.budgetBytes)}`,
            value: formatMs(shown.stepMs ?? 0),
            note: `${(shown.ratio ?? 0).toFixed(3)} x the oracle's step; the smallest of these budgets that it trains under`,
          },
        ]),
    { label: "Oracle", value: formatMs(oracleMs), note: "a step with memory without end" },
    ...baselines.map(({ name, peakDeviceBytes }) => ({
      label: `Peak of ${name}`,
      value: formatBytes(peakDeviceBytes),
      note: "without a budget",
    })),
  ];
}

/** What the policies hold, side by side: at the smallest budget that two of them train under. */
function outlineSections({ source, budgets }: Comparison, views: readonly StepView[]): Section[] {
  const unlimited = views.filter((view) => view.budgetBytes === null);
  const at = (bytes: number): StepView[] => views.filter((view) => view.budgetBytes === bytes);
  const sizes = budgets.map(({ deviceBytes }) => deviceBytes).sort((a, b) => a - b);
  const deviceBytes = sizes.find((bytes) => at(bytes).length > 1);
  if (deviceBytes === undefined) return [];
  const title = `Device memory of one step at ${formatBytes(deviceBytes)}, policy by policy`;
  const without =
    unlimited.length > 0 ? `, and ${unlimited.map(({ policy }) => policy).join(" and ")} without a budget` : "";
  const outlines = [...unlimited, ...at(deviceBytes)].map(({ policy, events }) => ({
    name: policy,
    look: PLANNED_POLICIES.indexOf(policy),
    events: events(),
  }));
  return [
    {
      title,
      blocks: [
        { kind: "text", text: `Every policy that trains under this budget${without}, ${source}.` },
        timeChartBlock("outlines", outlineChart(title, outlines, { deviceBytes })),
      ],
    },
  ];
}

function laneSections(
  { policy, budgetBytes }: CompareRow,
  views: readonly StepView[],
  backend: string | undefined,
): Section[] {
  const view = views.find((each) => each.budgetBytes === budgetBytes && each.policy === policy);
  if (view === undefined) return [];
  const title = `One step of ${policy} at ${formatBytes(budgetBytes)}`;
  const chart = stepChart(title, view.events(), { deviceBytes: budgetBytes });
  return [{ title, blocks: [{ kind: "text", text: stepNoteOn(backend) }, timeChartBlock("lanes", chart)] }];
}
