/** The page of `vdnn simulate`. */
import { timeChartBlock } from "../report/html/charts.ts";
import { type Page, type Section, tableBlock } from "../report/html/page.ts";
import { outlineChart, STEP_NOTE, stepChart } from "../report/step-view.ts";
import { traceEvents } from "../simulator/events.ts";
import type { DetailedRun } from "../simulator/row.ts";
import { NETWORK_WIDE } from "../simulator/simulate.ts";
import { formatBytes, formatMs } from "../units.ts";
import { PLANNED_POLICIES } from "./policy-names.ts";
import { caption, COLUMNS, heading, type SimulationFacts } from "./simulate-table.ts";

export function simulatePage(facts: SimulationFacts): Page {
  const { network, batch, machine, simulation } = facts;
  const { runs, oracleMs, networkWide } = simulation;
  const fastest = fastestOfEach(runs);
  const best = fastest.find(({ result }) => result.policy === "auto") ?? fastest.at(-1);
  return {
    title: `${network}, batch ${batch}, on ${machine.gpu.title}`,
    lead: heading(facts),
    source: "simulated",
    command: "simulate",
    figures: [
      ...(best === undefined
        ? [{ label: "Fits", value: "no policy", note: `in ${formatBytes(machine.deviceBytes)}` }]
        : [
            {
              label: `Step under ${best.result.policy}`,
              value: formatMs(best.result.stepMs),
              note: `${best.result.ratio.toFixed(3)} x oracle`,
            },
            {
              label: "Device peak",
              value: formatBytes(best.result.peakDeviceBytes),
              note: `of ${formatBytes(machine.deviceBytes)}`,
            },
            {
              label: "Host peak",
              value: formatBytes(best.result.peakHostBytes),
              note: `${formatBytes(best.result.offloadBytes)} offloaded per step`,
            },
          ]),
      { label: "Oracle", value: formatMs(oracleMs), note: "a step with memory without end" },
      {
        label: "Network-wide",
        value: formatBytes(networkWide.totalBytes),
        note: "what the vDNN paper's baseline allocates",
      },
    ],
    sections: [
      ...(best === undefined ? [] : stepSections(fastest, best, facts)),
      {
        title: "Policies",
        blocks: [
          tableBlock(
            "One simulated iteration under each.",
            COLUMNS,
            runs.map(({ result }) => result),
          ),
        ],
      },
      { title: "How to read this", blocks: [{ kind: "text", text: caption(facts).join(" ") }] },
    ],
  };
}

/** Of the runs that fit, one for each policy. Network-wide is an allocation and has no memory over time. */
function fastestOfEach(runs: readonly DetailedRun[]): DetailedRun[] {
  const best = new Map<string, DetailedRun>();
  for (const run of runs) {
    const { policy, fits, stepMs } = run.result;
    const before = best.get(policy);
    if (fits && policy !== NETWORK_WIDE && (before === undefined || stepMs < before.result.stepMs))
      best.set(policy, run);
  }
  return [...best.values()];
}

function stepSections(fastest: readonly DetailedRun[], best: DetailedRun, { machine }: SimulationFacts): Section[] {
  const budgets = { deviceBytes: machine.deviceBytes, hostBytes: machine.hostBytes };
  const one = `One step under ${[best.result.policy, best.result.algorithm].filter(Boolean).join(", ")}`;
  const all = "Device memory of one step, policy by policy";
  return [
    {
      title: one,
      blocks: [{ kind: "text", text: STEP_NOTE }, timeChartBlock("lanes", stepChart(one, traceEvents(best), budgets))],
    },
    ...(fastest.length < 2
      ? []
      : [
          {
            title: all,
            blocks: [
              { kind: "text", text: "Every policy that fits, with the algorithms with which it is fastest." } as const,
              timeChartBlock(
                "outlines",
                outlineChart(
                  all,
                  fastest.map((run) => ({
                    name: run.result.policy,
                    look: PLANNED_POLICIES.indexOf(run.result.policy),
                    events: traceEvents(run),
                  })),
                  { deviceBytes: machine.deviceBytes },
                ),
              ),
            ],
          },
        ]),
  ];
}
