/** What `vdnn plan` prints: text for people, or one JSON document. */
import type { Why } from "../plan/describe.ts";
import type { Plan } from "../plan/plan.ts";
import { planSentence, type PlanRow, renderPlans } from "../report/plan-table.ts";
import { renderWhy } from "../report/why.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { PlanSource } from "./plan-source.ts";

/** A row of the table with the plan that it is about. */
export interface MadeRow extends PlanRow {
  readonly plan: Plan;
}

/** The optimum, where it was asked for. */
export interface Proof {
  readonly optimalMs: number;
  readonly boundMs: number;
  readonly proven: boolean;
}

export function toText(source: PlanSource, made: readonly MadeRow[], proof: Proof | null, why: Why | null): string {
  const [first] = made;
  return [
    ...heading(source, first),
    "",
    ...renderPlans(made),
    "",
    ...verdicts(made, proof),
    ...(why === null || first === undefined
      ? []
      : ["", ...renderWhy(why, first.predicted, source.machine.deviceBytes)]),
    "",
  ].join("\n");
}

/** What was planned, for what machine, with times from where. */
export function heading({ graph, machine, about }: PlanSource, first: MadeRow | undefined): string[] {
  const limit = (bytes: number): string => (Number.isFinite(bytes) ? formatBytes(bytes) : "without limit");
  const { spillBytes = 0, spillWriteGBps = 0, spillReadGBps = 0, offloadGBps, prefetchGBps } = machine;
  const link = offloadGBps > 0 ? `link ${offloadGBps} GB/s out, ${prefetchGBps} GB/s in` : "no transfers";
  const spill =
    spillBytes > 0 ? `, spill ${limit(spillBytes)} (${spillWriteGBps} GB/s out, ${spillReadGBps} GB/s in)` : "";
  return [
    `${graph.name}: ${graph.kernels.length} kernels, ${graph.tensors.length} tensors, oracle ${formatMs(first?.predicted.oracleMs ?? 0)}`,
    `${machine.name}: device ${limit(machine.deviceBytes)}, host ${limit(machine.hostBytes)}${spill}, ${link}`,
    about,
  ];
}

/** How good each plan is at least. */
export function verdicts(made: readonly MadeRow[], proof: Proof | null): string[] {
  const [first] = made;
  return [
    ...made.filter(({ fits }) => fits).map(planSentence),
    ...(proof === null || first === undefined ? [] : [proofText(proof, first)]),
  ];
}

function proofText({ optimalMs, boundMs, proven }: Proof, { predicted: { stepMs } }: MadeRow): string {
  const above = `this plan is ${((stepMs / optimalMs - 1) * 100).toFixed(2)} % above it`;
  return proven
    ? `certified: the optimum is ${formatMs(optimalMs)}, ${above}`
    : `not certified: the best known is ${formatMs(optimalMs)}, ${above}, and nothing is below ${formatMs(boundMs)}`;
}

/** Infinity has no JSON; null is "no budget". */
export function toJson(source: PlanSource, made: readonly MadeRow[], proof: Proof | null, why: Why | null): string {
  const budget = (bytes: number): number | null => (Number.isFinite(bytes) ? bytes : null);
  const { graph, machine } = source;
  const { name, deviceBytes, hostBytes, spillBytes = 0, offloadGBps, prefetchGBps } = machine;
  const { spillWriteGBps = 0, spillReadGBps = 0 } = machine;
  const budgets = {
    name,
    deviceBytes: budget(deviceBytes),
    hostBytes: budget(hostBytes),
    spillBytes: budget(spillBytes),
    offloadGBps,
    prefetchGBps,
    spillWriteGBps,
    spillReadGBps,
  };
  const plans = made.map(({ plan, fits, flaw, totals }) => ({
    ...plan,
    source: "predicted",
    fits,
    ...(flaw === undefined ? {} : { flaw }),
    budgets,
    kernels: graph.kernels.length,
    predicted: { ...plan.predicted, ...totals },
  }));
  const [first] = plans;
  const document =
    plans.length === 1
      ? { ...first, ...(proof === null ? {} : { certificate: proof }), ...(why === null ? {} : { why }) }
      : { schema: "vdnn-plans/1", graph: graph.name, machine: name, budgets, plans };
  return `${JSON.stringify(document)}\n`;
}
