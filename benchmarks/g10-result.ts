/** The result of g10.ts, what follows from it, and its tables. No computation of plans here. */
import type { Environment, Table } from "./harness.ts";

/** `spill`: 128 GiB of host memory and an SSD of 3.2 GB/s behind it, G10's own setting. `host`: host memory without end. */
export type G10Tier = "spill" | "host";

export interface G10Plan {
  readonly tier: G10Tier;
  readonly recompute: boolean;
  readonly stepMs: number;
  /** No schedule of the execution model is faster. */
  readonly lowerBoundMs: number;
  /** Null when the plan fits and the independent validator agrees. */
  readonly fault: string | null;
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
  readonly offloadBytes: number;
  readonly recomputeMs: number;
  /** Measured on the machine of the environment. */
  readonly planningMs: number;
}

/** A policy as G10 models it, run by us, beside what G10 publishes; null: it gives up. */
export interface G10Baseline {
  readonly policy: "lru" | "FlashNeuron" | "deepUM";
  readonly simulatedMs: number | null;
  readonly publishedMs: number | null;
}

export interface G10Case {
  readonly network: string;
  readonly batch: number;
  readonly origin: "traced" | "scaled";
  /** It is one of the cells of G10's own mean. */
  readonly isMain: boolean;
  readonly kernels: number;
  readonly idealMs: number;
  /** Of all tensors, and what G10 publishes for that batch, where it does. */
  readonly totalBytes: number;
  readonly publishedBytes: number | null;
  readonly publishedG10Ms: number;
  readonly plans: readonly G10Plan[];
  readonly baselines: readonly G10Baseline[];
}

export interface G10Result {
  readonly schema: "vdnn-bench-g10/1";
  readonly question: string;
  readonly environment: Environment;
  readonly cases: readonly G10Case[];
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The four ways in which vdnn plans, in the order of the table. */
export const WAYS: readonly { readonly tier: G10Tier; readonly recompute: boolean }[] = [
  { tier: "spill", recompute: false },
  { tier: "spill", recompute: true },
  { tier: "host", recompute: false },
  { tier: "host", recompute: true },
];

export function planOf({ plans }: G10Case, way: (typeof WAYS)[number]): G10Plan | undefined {
  return plans.find(({ tier, recompute }) => tier === way.tier && recompute === way.recompute);
}

/** Ideal over step time. A plan that does not hold counts as no speed at all. */
export function shareOfIdeal({ idealMs }: G10Case, plan: G10Plan | undefined): number {
  return plan?.fault === null ? idealMs / plan.stepMs : 0;
}

export function g10Tables({ cases }: G10Result): Table[] {
  return [planTable(cases), baselineTable(cases)];
}

function planTable(cases: readonly G10Case[]): Table {
  const main = cases.filter(({ isMain }) => isMain);
  const traced = cases.filter(({ origin }) => origin === "traced");
  const meanRow = (label: string, over: readonly G10Case[]): string[] => [
    label,
    "",
    percent(mean(over.map(({ idealMs, publishedG10Ms }) => idealMs / publishedG10Ms))),
    ...WAYS.flatMap((way) => [
      percent(mean(over.map((each) => shareOfIdeal(each, planOf(each, way))))),
      percent(mean(over.map((each) => each.idealMs / (planOf(each, way)?.lowerBoundMs ?? each.idealMs)))),
    ]),
  ];
  return {
    caption:
      "Step time over ideal on a GPU of 40 GiB and 15.754 GB/s each way, simulated: G10 as published, vdnn's auto in its own execution " +
      "model, and behind each the lower bound for that model. SSD: 128 GiB of host memory and 3.2 GB/s behind it, as in G10's setting; " +
      "host: host memory without end; +re: kernels may run again, which G10 does not do. Traced: kernel times measured by G10's authors " +
      "on an A100. Scaled, not traced: bytes times the batch ratio, all times times one factor that gives the published ideal. Means are " +
      "of ideal over step time; G10's own, 91.2 %, is over five networks, of which the traces of BERT and SENet are not here; its cells " +
      "among these are marked *.",
    header: ["network", "", "G10", ...WAYS.flatMap(({ tier, recompute }) => [wayName(tier, recompute), "bound"])],
    rows: [
      ...cases.map((each) => [
        `${each.network}-${each.batch}${each.isMain ? " *" : ""}`,
        each.origin,
        ratio(each.publishedG10Ms / each.idealMs),
        ...WAYS.flatMap((way) => {
          const plan = planOf(each, way);
          if (plan === undefined) return ["", ""];
          const step = plan.fault === null ? ratio(plan.stepMs / each.idealMs) : (plan.fault.split(":")[0] ?? "");
          return [step, ratio(plan.lowerBoundMs / each.idealMs)];
        }),
      ]),
      ...(main.length > 0 ? [meanRow("mean of *", main)] : []),
      ...(traced.length > 0 ? [meanRow("mean of traced", traced)] : []),
    ],
  };
}

function baselineTable(cases: readonly G10Case[]): Table {
  const policies = ["lru", "FlashNeuron", "deepUM"] as const;
  return {
    caption:
      "Is it the policies that are compared, or the simulators? The policies that G10 compares itself with, as G10 models them, simulated " +
      "here over simulated there (seconds here, in brackets). One set of parameters, none fitted. Both give up: FlashNeuron's " +
      "tensors that stay do not fit. The last column: bytes of all tensors over the published ones.",
    header: ["network", "", ...policies, "bytes"],
    rows: cases.map(({ network, batch, origin, baselines, totalBytes, publishedBytes }) => [
      `${network}-${batch}`,
      origin,
      ...policies.map((policy) => baselineCell(baselines.find((each) => each.policy === policy))),
      publishedBytes === null ? "" : ratio(totalBytes / publishedBytes),
    ]),
  };
}

function baselineCell(baseline: G10Baseline | undefined): string {
  if (baseline === undefined) return "";
  const { simulatedMs, publishedMs } = baseline;
  if (simulatedMs === null) return publishedMs === null ? "both give up" : "gives up here only";
  const seconds = `(${(simulatedMs / 1000).toFixed(1)})`;
  return publishedMs === null ? `gives up there only ${seconds}` : `${ratio(simulatedMs / publishedMs)} ${seconds}`;
}

function wayName(tier: G10Tier, recompute: boolean): string {
  return `${tier === "spill" ? "SSD" : "host"}${recompute ? " +re" : ""}`;
}

function ratio(value: number): string {
  return value.toFixed(3);
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
