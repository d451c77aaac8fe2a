/**
 * How long does planning take? Synthetic deep networks with skip connections (deep-graph.ts, seeded) under `auto`, at several budgets. The
 * planning time and the resident set are measured, one process per plan; the step time beside them is the plan's own, simulated.
 */
import { formatBytes } from "../src/units.ts";
import {
  type Environment,
  environment,
  type Outcome,
  progress,
  publish,
  runAsProgram,
  runChild,
  summarize,
  type Table,
} from "./harness.ts";
import { integer, readOptions, UsageError } from "./options.ts";

const QUESTION = "How long does planning take?";

const OPTIONS = {
  kernels: { default: "1000,3000,10000,30000,100000", help: "sizes of the graphs" },
  shares: { default: "0.5,0.25", help: "budgets, as shares of the peak (and at least the smallest feasible one)" },
  gbps: { default: "12,3", help: "links, GB/s each way: one that hides the copies, one that does not" },
  repeats: { default: "3", help: "processes per plan, for graphs of up to 10,000 kernels; 1 beyond" },
};

/** Kernels of the largest graph that is planned more than once. */
const MOST_REPEATED = 10_000;

/** Kernels of the largest graph whose plans the validator looks at: its time grows faster than the planner's. */
export const MOST_VALIDATED = 10_000;

/** Times that planning is meant to stay below, by kernels. */
export const TARGETS: Readonly<Record<number, number>> = { 1000: 0.3e3, 10_000: 3e3, 100_000: 60e3 };

export interface ScalingTrial {
  readonly kernels: number;
  readonly share: number;
  readonly gbps: number;
  readonly planningMs: number;
  /** Of all threads of the process, garbage collection and compilation too. */
  readonly cpuMs: number;
  readonly rssBeforeBytes: number;
  readonly rssHighestBytes: number;
  /** Null when the plan fits and the independent validator, where it was asked, agrees. */
  readonly fault: string | null;
  readonly steps: number;
  /** Step time, its lower bound and recomputation over the time of all kernels once. */
  readonly step: number;
  readonly bound: number;
  readonly recompute: number;
  readonly offloadBytes: number;
  /** Of the machine, last minute. */
  readonly load: number;
}

export interface ScalingRow {
  readonly kernels: number;
  readonly share: number;
  readonly gbps: number;
  readonly outcomes: readonly Outcome<ScalingTrial>[];
}

export interface ScalingResult {
  readonly schema: "vdnn-bench-scaling/1";
  readonly question: string;
  readonly environment: Environment;
  readonly rows: readonly ScalingRow[];
}

export function scalingTables({ rows }: ScalingResult): Table[] {
  return [
    {
      caption:
        "Planning time of auto, measured: the least and the median of the runs, each in a process of its own, and the least of their CPU time, which a busy machine " +
        "lengthens less; synthetic networks with skip " +
        "connections. Memory is the process's highest resident set less that before planning. Step time over ideal and its lower bound are " +
        "simulated.",
      header: [
        "kernels",
        "budget",
        "GB/s",
        "least s",
        "median s",
        "CPU s",
        "target s",
        "memory",
        "step",
        "bound",
        "valid",
      ],
      rows: rows.map(({ kernels, share, gbps, outcomes }) => {
        const trials = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value] : []));
        const target = TARGETS[kernels];
        const head = [kernels.toLocaleString("en"), `${(share * 100).toFixed(0)} %`, String(gbps)];
        const [first] = trials;
        if (first === undefined) return [...head, "failed", "", "", "", "", "", "", ""];
        const { median, min } = summarize(trials.map(({ planningMs }) => planningMs));
        const memory = Math.max(
          ...trials.map(({ rssHighestBytes, rssBeforeBytes }) => rssHighestBytes - rssBeforeBytes),
        );
        return [
          ...head,
          (min / 1000).toFixed(2),
          (median / 1000).toFixed(2),
          (Math.min(...trials.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(2),
          target === undefined ? "" : (target / 1000).toString(),
          formatBytes(memory),
          first.step.toFixed(3),
          first.bound.toFixed(3),
          first.fault === null ? (kernels <= MOST_VALIDATED ? "yes" : "fits") : (first.fault.split(":")[0] ?? ""),
        ];
      }),
    },
  ];
}

function positives(text: string, option: string): number[] {
  const values = text.split(",").map(Number);
  if (values.every((value) => value > 0)) return values;
  throw new UsageError(`--${option}: expected numbers above 0, got "${text}"`);
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const repeats = integer(options.repeats, "repeats");
  const shares = positives(options.shares, "shares");
  const links = positives(options.gbps, "gbps");
  const sizes = options.kernels.split(",").map((text) => integer(text, "kernels"));
  const rows: ScalingRow[] = [];
  for (const kernels of sizes) {
    for (const [share, gbps] of shares.flatMap((each) => links.map((link) => [each, link] as const))) {
      const outcomes: Outcome<ScalingTrial>[] = [];
      for (let i = 0; i < (kernels <= MOST_REPEATED ? repeats : 1); i++) {
        const outcome = await runChild<ScalingTrial>("scaling-trial.ts", [kernels, share, gbps].map(String));
        outcomes.push(outcome);
        const result = outcome.ok ? `${(outcome.value.planningMs / 1000).toFixed(2)} s` : outcome.reason;
        progress(`${kernels} kernels, ${share} of the peak, ${gbps} GB/s: ${result}`);
      }
      rows.push({ kernels, share, gbps, outcomes });
    }
  }
  const result: ScalingResult = {
    schema: "vdnn-bench-scaling/1",
    question: QUESTION,
    environment: environment(null),
    rows,
  };
  publish(options.json, result, scalingTables(result));
});
