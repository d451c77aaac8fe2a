/**
 * Is `auto` as fast as the best of the other policies, and does its prediction hold? Real training under a few device budgets,
 * all policies in one process, in turn, round by round.
 *
 * What is measured is a step like any of the thousands that follow it. The first step is recorded, the second is timed and planned
 * with those times, and the third still pays for the planning: its garbage is collected on the cores that run the kernels.
 */
import { loadTensorFlow } from "../src/backends/load.ts";
import { VdnnError } from "../src/errors.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import {
  type Environment,
  environment,
  interleave,
  median,
  progress,
  publish,
  runAsProgram,
  runtimeOf,
  type Summary,
  summarize,
  type Table,
} from "./harness.ts";
import { backendOption, integer, readOptions } from "./options.ts";
import { type Rounds, runSteps } from "./run-steps.ts";
import { describeWorkload, openTraining, readWorkloads, type Workload, WORKLOAD_OPTIONS } from "./workloads.ts";

const QUESTION = "Is auto as fast as the best of the other policies, and does its prediction hold?";
const POLICIES = ["auto", "vdnn-all", "vdnn-conv", "vdnn-dyn", "checkpoint"] as const;
type PolicyName = (typeof POLICIES)[number];

const OPTIONS = {
  ...WORKLOAD_OPTIONS,
  percents: { default: "15,25,50", help: "device budgets, percent of stock's peak" },
  rounds: { default: "3", help: "rounds, each with every policy" },
  steps: { default: "3", help: "measured steps per policy and round" },
  warmup: { default: "3", help: "unmeasured steps before them" },
};

interface PolicyRow {
  readonly policy: PolicyName;
  /** Median step of each round, wall time. */
  readonly stepMs: Summary;
  /** Over the step of `auto` in the same round. */
  readonly ratioToAuto: Summary;
  /** Time inside training calls that the session measured, over what its plan predicted; one per round. */
  readonly measuredOverPredicted: Summary;
  /** Why it did not run, most often a budget that it does not fit; it then has no samples. */
  readonly failure: string | null;
}

interface Budgeted {
  readonly workload: Workload;
  readonly percent: number;
  readonly budgetBytes: number;
  readonly rows: readonly PolicyRow[];
}

export interface PoliciesResult extends Rounds {
  readonly schema: "vdnn-bench-policies/1";
  readonly question: string;
  readonly environment: Environment;
  readonly budgets: readonly Budgeted[];
}

export function policiesTables({ budgets, rounds, steps, warmup, environment: { runtime } }: PoliciesResult): Table[] {
  const cell = (row: PolicyRow | undefined, show: (row: PolicyRow) => string): string =>
    row === undefined || row.failure !== null ? "does not fit" : show(row);
  return [
    {
      caption:
        `Step time over that of auto in the same round, measured on ${runtime?.backend ?? "the backend"}: medians of ${rounds} interleaved rounds of ` +
        `${steps} ${steps === 1 ? "step" : "steps"} after ${warmup} unmeasured ones, with the extremes. Below 1.00 the other policy was faster. Last column: auto's measured step over the ` +
        "step that its plan predicts.",
      header: ["", "budget", "auto ms", ...POLICIES.slice(1), "auto: measured / predicted"],
      rows: budgets.map(({ workload, percent, rows }) => {
        const of = (policy: PolicyName): PolicyRow | undefined => rows.find((row) => row.policy === policy);
        return [
          describeWorkload(workload),
          `${percent} %`,
          cell(of("auto"), ({ stepMs }) => stepMs.median.toFixed(0)),
          ...POLICIES.slice(1).map((policy) => cell(of(policy), ({ ratioToAuto }) => spread(ratioToAuto))),
          cell(of("auto"), ({ measuredOverPredicted }) => spread(measuredOverPredicted)),
        ];
      }),
    },
  ];
}

function spread({ median: middle, min, max }: Summary): string {
  return `${middle.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
}

async function measure(
  tf: TensorFlow,
  workload: Workload,
  percents: readonly number[],
  counts: Rounds,
): Promise<Budgeted[]> {
  const training = openTraining(tf, workload);
  try {
    const [stock] = (await runSteps(tf, training, { policy: "none" }, { steps: 1, warmup: 1 })).iterations;
    const results: Budgeted[] = [];
    for (const percent of percents) {
      const budgetBytes = Math.floor(((stock?.peakDeviceBytes ?? 0) * percent) / 100);
      const samples = POLICIES.map((policy) => ({
        policy,
        stepMs: [] as number[],
        accuracy: [] as number[],
        failure: null as string | null,
      }));
      await interleave(samples, counts.rounds, async (into, round) => {
        if (into.failure !== null) return;
        const { policy } = into;
        try {
          const { ms, iterations, plan } = await runSteps(tf, training, { policy, deviceMemory: budgetBytes }, counts);
          into.stepMs.push(median(ms));
          into.accuracy.push(median(iterations.map(({ stepMs }) => stepMs)) / (plan?.predictedStepMs ?? Number.NaN));
        } catch (error) {
          if (!(error instanceof VdnnError)) throw error;
          into.failure = error.message;
        }
        const said = into.failure === null ? `${into.stepMs.at(-1)?.toFixed(0)} ms` : "does not fit";
        progress(
          `${describeWorkload(workload)}, ${percent} %: round ${round + 1} of ${counts.rounds}, ${policy} ${said}`,
        );
      });
      const auto = samples.find(({ policy }) => policy === "auto")?.stepMs ?? [];
      const rows = samples.map(({ policy, stepMs, accuracy, failure }): PolicyRow => {
        const ratios = stepMs.map((ms, round) => ms / (auto[round] ?? Number.NaN));
        return {
          policy,
          stepMs: summarize(stepMs),
          ratioToAuto: summarize(ratios),
          measuredOverPredicted: summarize(accuracy),
          failure,
        };
      });
      results.push({ workload, percent, budgetBytes, rows });
    }
    return results;
  } finally {
    training.dispose();
  }
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const counts: Rounds = {
    rounds: integer(options.rounds, "rounds"),
    steps: integer(options.steps, "steps"),
    warmup: integer(options.warmup, "warmup"),
  };
  const percents = options.percents.split(",").map((percent) => integer(percent, "percents"));
  const loaded = await loadTensorFlow(backendOption(options.backend));
  const budgets: Budgeted[] = [];
  for (const workload of readWorkloads(options))
    budgets.push(...(await measure(loaded.tf, workload, percents, counts)));
  const result: PoliciesResult = {
    schema: "vdnn-bench-policies/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    ...counts,
    budgets,
  };
  publish(options.json, result, policiesTables(result));
});
