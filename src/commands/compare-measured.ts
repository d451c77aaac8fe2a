/**
 * Policies compared by real runs of a built-in network, each in a process of its own. Rounds are interleaved: every round runs
 * everything once, so that a machine that slows down meanwhile slows all of it down. Copies between device and host run on
 * the training thread, or on the device's queue (webgpu): there is no overlap to report, and no bound is known.
 */
import type { BackendName } from "../backends/load.ts";
import type { EnergyTable } from "../simulator/energy-data.ts";
import { movementPj } from "../simulator/movement.ts";
import { formatBytes, formatMs } from "../units.ts";
import { type AskedBudget, type Budget, resolveBudgets } from "./budgets.ts";
import type { StepView } from "./compare-page.ts";
import { type Baseline, type BudgetLine, type CompareRow, NOTHING } from "./comparison.ts";
import { policyName, STOCK } from "./policy-names.ts";
import { settledSteps } from "./settled.ts";
import { median } from "./training.ts";
import { type TrialEnd, type TrialOptions, type TrialResult, type TrialSpec } from "./trial-process.ts";

export interface MeasuredOptions {
  readonly backend: BackendName;
  readonly network: string;
  readonly training: TrialSpec["training"];
  readonly hostBytes: number | undefined;
  readonly policies: readonly string[];
  readonly asked: readonly AskedBudget[];
  /** The baseline that percentages are of. */
  readonly reference: "stock" | "liveness";
  readonly rounds: number;
  readonly timeoutMs: number;
  readonly energy: EnergyTable;
  /** Runs one trial; passed in, so that the order of runs can be tested without any. */
  readonly run: (spec: TrialSpec, options: TrialOptions) => Promise<TrialEnd>;
  readonly onRun?: (text: string) => void;
  /** Where it is given, runs record their last step, and hand it on after the last round. */
  readonly onStep?: (view: StepView) => void;
}

export interface Measured {
  readonly oracleMs: number;
  /** Median step of each round. */
  readonly oracleRoundsMs: readonly number[];
  readonly baselines: Baseline[];
  readonly budgets: BudgetLine[];
  readonly rows: CompareRow[];
  /** Null, or why there is nothing to compare with. */
  readonly failure: { readonly policy: string; readonly reason: string } | null;
}

/** Without a budget; they fit where their peak does. */
const BASELINES = [STOCK, "liveness"] as const;

export async function measure(options: MeasuredOptions): Promise<Measured> {
  const { policies, asked, reference, rounds, run, onRun } = options;
  const ends = new Map<string, TrialEnd[]>();
  const start = async (round: number, policy: string, budget?: Budget): Promise<TrialEnd> => {
    const key = keyOf(policy, budget);
    const before = ends.get(key) ?? [];
    // What failed once would fail again, and cost the time of a round.
    const failed = before.find(({ kind }) => kind !== "trains");
    if (failed !== undefined) return failed;
    const title = `run ${++runs} of ${most} (round ${round + 1} of ${rounds}): ${policy}${budget === undefined ? "" : `, ${formatBytes(budget.deviceBytes)}`}`;
    onRun?.(title);
    const end = await run(specOf(options, policy, budget), {
      timeoutMs: options.timeoutMs,
      onStep: ({ index, wallMs }) =>
        onRun?.(`${title}: step ${index + 1} of ${options.training.steps}  ${formatMs(wallMs)}`),
    });
    ends.set(key, [...before, end]);
    return end;
  };
  const ownRuns = policies.filter((policy) => !isBaseline(policy)).length;
  /** Those of a policy that fails once are not repeated. */
  const most = rounds * (BASELINES.length + asked.length * ownRuns);
  let runs = 0;
  let budgets: Budget[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const policy of BASELINES) {
      const end = await start(round, policy);
      if (end.kind === "trains") continue;
      return {
        oracleMs: Number.NaN,
        oracleRoundsMs: [],
        baselines: [],
        budgets: [],
        rows: [],
        failure: { policy, reason: end.reason },
      };
    }
    if (round === 0) budgets = resolveBudgets(asked, peakOf(resultsOf(ends, reference)));
    for (const budget of budgets) {
      for (const policy of policies) if (!isBaseline(policy)) await start(round, policy, budget);
    }
  }
  showSteps(options, budgets, ends);
  const baselines = BASELINES.map((name) => {
    const results = resultsOf(ends, name);
    return { name, peakDeviceBytes: peakOf(results), stepMs: median(steadySteps(results)) };
  });
  const oracle = baselines.reduce((best, each) => (each.stepMs < best.stepMs ? each : best));
  const against: Against = {
    oracleMs: resultsOf(ends, oracle.name).map((result) => median(steadySteps([result]))),
    stock: resultsOf(ends, STOCK)[0],
    energy: options.energy,
  };
  const rows = budgets.flatMap((budget) =>
    policies.map((policy) => {
      const key = isBaseline(policy) ? keyOf(policy) : keyOf(policy, budget);
      return rowOf(policy, budget, ends.get(key) ?? [], against);
    }),
  );
  return {
    oracleMs: oracle.stepMs,
    oracleRoundsMs: against.oracleMs,
    baselines,
    budgets: budgets.map((each) => ({ ...each, lowerBoundMs: null })),
    rows,
    failure: null,
  };

  function isBaseline(policy: string): boolean {
    return (BASELINES as readonly string[]).includes(policy);
  }
}

function showSteps(
  { policies, onStep }: MeasuredOptions,
  budgets: readonly Budget[],
  ends: ReadonlyMap<string, readonly TrialEnd[]>,
): void {
  if (onStep === undefined) return;
  const show = (policy: string, budget?: Budget): void => {
    const end = ends.get(keyOf(policy, budget))?.at(-1);
    const events = end?.kind === "trains" ? end.result.lastStep?.events : undefined;
    if (events !== undefined) onStep({ policy, budgetBytes: budget?.deviceBytes ?? null, events: () => events });
  };
  for (const policy of BASELINES) show(policy);
  for (const budget of budgets) for (const policy of policies) show(policy, budget);
}

function specOf(
  { backend, network, training, hostBytes, onStep }: MeasuredOptions,
  policy: string,
  budget?: Budget,
): TrialSpec {
  const session = {
    policy: policyName(policy),
    ...(budget === undefined ? {} : { deviceMemory: budget.deviceBytes }),
    ...(budget === undefined || hostBytes === undefined ? {} : { hostMemory: hostBytes }),
  };
  return { backend, network, training, session, ...(onStep === undefined ? {} : { history: true }) };
}

interface Against {
  /** Median step of the oracle in each round: a machine slows down for minutes at a time. */
  readonly oracleMs: readonly number[];
  readonly stock: TrialResult | undefined;
  readonly energy: EnergyTable;
}

function rowOf(policy: string, { deviceBytes }: Budget, ends: readonly TrialEnd[], against: Against): CompareRow {
  const { oracleMs, stock, energy } = against;
  const row = { policy, budgetBytes: deviceBytes };
  const failed = ends.find((end) => end.kind !== "trains");
  if (failed !== undefined) {
    return { ...row, ...NOTHING, chosen: "", outcome: failed.kind, reason: failed.reason };
  }
  const results = ends.flatMap((end) => (end.kind === "trains" ? [end.result] : []));
  const peakDeviceBytes = peakOf(results);
  if (peakDeviceBytes > deviceBytes) {
    const reason = `needs ${formatBytes(peakDeviceBytes)}, ${formatBytes(peakDeviceBytes - deviceBytes)} more`;
    return { ...row, ...NOTHING, chosen: "", outcome: "too-large", reason, peakDeviceBytes };
  }
  const samplesMs = steadySteps(results);
  const stepMs = median(samplesMs);
  const typical = (value: (result: TrialResult) => number): number => median(results.map(value));
  const offloadBytes = typical((each) => each.offloadBytes);
  const prefetchBytes = typical((each) => each.prefetchBytes);
  return {
    ...row,
    chosen: (results[0]?.chosen ?? "").replace(policyName(policy), "").replace(/^: /, ""),
    outcome: "trains",
    stepMs,
    ratio: median(results.map((result, round) => median(steadySteps([result])) / (oracleMs[round] ?? Number.NaN))),
    peakDeviceBytes,
    peakHostBytes: Math.max(...results.map(({ peakHostBytes }) => peakHostBytes)),
    offloadBytes,
    prefetchBytes,
    stallMs: typical((each) => each.stallMs),
    overlap: null,
    recomputeMs: typical((each) => each.recomputeMs),
    copyPj: movementPj({ offloadBytes, prefetchBytes, recomputeBytes: 0 }, energy).copyPj,
    recomputePj: null,
    samplesMs,
    identical: results.every((each) => stock !== undefined && sameBits(each, stock)),
  };
}

function sameBits(a: TrialResult, b: TrialResult): boolean {
  return a.weightsSha256 === b.weightsSha256 && a.losses.every((loss, i) => Object.is(loss, b.losses[i]));
}

function steadySteps(results: readonly TrialResult[]): number[] {
  return results.flatMap(({ stepMs }) => settledSteps(stepMs));
}

function peakOf(results: readonly TrialResult[]): number {
  return Math.max(0, ...results.map(({ peakDeviceBytes }) => peakDeviceBytes));
}

function keyOf(policy: string, budget?: Budget): string {
  return budget === undefined ? policy : `${policy} ${budget.deviceBytes}`;
}

function resultsOf(ends: ReadonlyMap<string, readonly TrialEnd[]>, policy: string): TrialResult[] {
  return (ends.get(policy) ?? []).flatMap((end) => (end.kind === "trains" ? [end.result] : []));
}
