/**
 * How much device memory does training take under each policy? The ledger's exact peaks, and whether the numbers stay those of
 * stock TensorFlow.js. One process per trial; `stock` is TensorFlow.js that vdnn never touched, `none` is the same, metered.
 */
import { policies } from "../src/plan/policies/index.ts";
import { formatBytes } from "../src/units.ts";
import { type Environment, environment, type Outcome, progress, publish, runAsProgram, type Table } from "./harness.ts";
import { backendOption, choices, integer, readOptions } from "./options.ts";
import { failureKind, runTrial, sameBits, type SessionSettings, type TrialResult } from "./trial.ts";
import { describeWorkload, readWorkloads, type Workload, WORKLOAD_OPTIONS } from "./workloads.ts";

const QUESTION = "How much device memory does training take under each policy?";
const NAMES = policies.map(({ name }) => name).filter((name) => name !== "none");

const OPTIONS = {
  ...WORKLOAD_OPTIONS,
  policies: { default: NAMES.join(","), help: "policies to compare" },
  steps: { default: "5", help: "training steps" },
  "budget-percent": { default: "25", help: "device budget of vdnn-dyn, of the stock peak" },
};

export interface MemoryRow {
  readonly policy: string;
  readonly session: SessionSettings | null;
  readonly outcome: Outcome<TrialResult>;
  /** Highest in the first iteration, which records; null when the trial failed. */
  readonly firstPeakBytes: number | null;
  /** Highest in the iterations after it. */
  readonly steadyPeakBytes: number | null;
  /** Losses and weights after all steps have the bits of stock TensorFlow.js. */
  readonly identical: boolean;
}

export interface MemoryResult {
  readonly schema: "vdnn-bench-memory/1";
  readonly question: string;
  readonly environment: Environment;
  readonly steps: number;
  readonly budgetPercent: number;
  readonly nets: readonly { readonly workload: Workload; readonly rows: readonly MemoryRow[] }[];
}

export function memoryTables({ nets, steps, budgetPercent }: MemoryResult): Table[] {
  return nets.map(({ workload, rows }) => {
    const stock = rows.find(({ policy }) => policy === "none")?.steadyPeakBytes ?? Number.NaN;
    return {
      caption:
        `Device memory of ${describeWorkload(workload)}, measured by the ledger; vdnn-dyn has a budget of ${budgetPercent} % ` +
        `of stock's peak. Same bits: losses and weights of ${steps} steps, against TensorFlow.js without vdnn.`,
      header: ["policy", "peak, first iteration", "peak, then", "of stock", "same bits"],
      rows: rows.map(({ policy, firstPeakBytes, steadyPeakBytes, identical, outcome }) =>
        outcome.ok
          ? [
              policy === "none" ? "none (stock)" : policy,
              formatBytes(firstPeakBytes ?? 0),
              formatBytes(steadyPeakBytes ?? 0),
              `${(((steadyPeakBytes ?? 0) / stock) * 100).toFixed(1)} %`,
              identical ? "yes" : "NO",
            ]
          : [policy, failureKind(outcome.reason), "", "", ""],
      ),
    };
  });
}

function row(
  policy: string,
  session: SessionSettings | null,
  outcome: Outcome<TrialResult>,
  stock: Outcome<TrialResult>,
): MemoryRow {
  const report = outcome.ok ? outcome.value.report : null;
  return {
    policy,
    session,
    outcome,
    firstPeakBytes: report?.iterations[0]?.peakDeviceBytes ?? null,
    steadyPeakBytes: report?.laterPeakDeviceBytes ?? null,
    identical: outcome.ok && stock.ok && sameBits(outcome.value, stock.value),
  };
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const backend = backendOption(options.backend);
  const steps = integer(options.steps, "steps", 2);
  const budgetPercent = integer(options["budget-percent"], "budget-percent");
  const chosen = choices(options.policies, "policies", NAMES);
  const nets: { workload: Workload; rows: MemoryRow[] }[] = [];
  for (const workload of readWorkloads(options)) {
    const trial = (session: SessionSettings | null): Promise<Outcome<TrialResult>> => {
      progress(`${describeWorkload(workload)}: ${JSON.stringify(session)}`);
      return runTrial({ backend, workload, steps, session });
    };
    const stock = await trial(null);
    if (!stock.ok) throw new Error(`stock TensorFlow.js does not train ${describeWorkload(workload)}: ${stock.reason}`);
    const none = row("none", { policy: "none" }, await trial({ policy: "none" }), stock);
    const rows = [none];
    for (const policy of chosen) {
      const deviceMemory = Math.floor(((none.steadyPeakBytes ?? 0) * budgetPercent) / 100);
      const session: SessionSettings = policy === "vdnn-dyn" ? { policy, deviceMemory } : { policy };
      rows.push(row(policy, session, await trial(session), stock));
    }
    nets.push({ workload, rows });
  }
  const [first] = nets.flatMap(({ rows }) => rows.map(({ outcome }) => outcome));
  const result: MemoryResult = {
    schema: "vdnn-bench-memory/1",
    question: QUESTION,
    environment: environment(first?.ok === true ? first.value.runtime : null),
    steps,
    budgetPercent,
    nets,
  };
  publish(options.json, result, memoryTables(result));
});
