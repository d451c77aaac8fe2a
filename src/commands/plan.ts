/**
 * `vdnn plan`: plans one iteration for a machine that need not be there, and says what the plan costs, how far from the optimum it
 * can be at most and, on request, why. Every plan is validated before anything is printed.
 */
import { hasCode, VdnnError } from "../errors.ts";
import { lowerBoundMs } from "../plan/auto/bounds.ts";
import { problemOf } from "../plan/auto/gaps.ts";
import { describe, type Why } from "../plan/describe.ts";
import { exceededTier } from "../plan/describe/budgets.ts";
import { shortage } from "../plan/describe/shortage.ts";
import { makePlan } from "../plan/make.ts";
import type { Plan } from "../plan/plan.ts";
import { type AutoOptions, autoPolicy } from "../plan/policies/auto.ts";
import { policies } from "../plan/policies/index.ts";
import type { Policy } from "../plan/policy.ts";
import { spansOf } from "../plan/spans.ts";
import { validate } from "../plan/validate.ts";
import { writeReport } from "../report/file.ts";
import { writeJson } from "../report/json.ts";
import type { PlanTotals } from "../report/plan-table.ts";
import { toChromeTrace } from "../report/trace-events.ts";
import { findByName } from "../simulator/names.ts";
import { formatMs } from "../units.ts";
import { type MadeRow, type Proof, toJson, toText } from "./plan-document.ts";
import { outputFile, reportFile } from "./options.ts";
import { planPage } from "./plan-page.ts";
import { checkPlanFlags, type PlanFlags } from "./plan-options.ts";
import { type PlanSource, planSource } from "./plan-source.ts";
import { createProgress } from "./progress.ts";
import { planEvents } from "./plan-trace.ts";

const DOES_NOT_FIT = 3;
const ALL = "all";
/** An optimum and its bound that are closer are one: what the solver's tolerances leave open. */
const PROVEN_SHARE = 1e-5;

interface Made extends MadeRow {
  readonly by: Policy;
}

/** Plans, prints, and returns the exit code: 3 where no plan fits. */
export async function planCommand(flags: PlanFlags): Promise<number> {
  checkPlanFlags(flags);
  const settings: AutoOptions = {
    recompute: flags.recompute,
    ...(flags.moves === undefined ? {} : { moves: flags.moves }),
  };
  const chosen = policiesOf(flags.policy ?? ["auto"], settings);
  const trace = traceFile(flags, chosen);
  const report = reportFile(flags);
  const source = await planSource(flags);
  const made = chosen.map((policy) => checkedPlan(source, policy));
  const [first] = made;
  if (first === undefined) return 0;
  if (made.length === 1 && first.flaw !== undefined) {
    throw new VdnnError("ERR_INVALID_PLAN", `policy ${first.policy} made a plan that breaks a rule: ${first.flaw}`);
  }
  if (made.length === 1 && !first.fits) return refuse(source, first.by, flags, settings);
  const { graph, machine } = source;
  const proof = flags.certify === true ? await proofOf(source, first, settings) : null;
  const why = flags.why === true ? explain(source, first, settings) : null;
  if (trace !== undefined) {
    const events = planEvents(graph, first.plan.steps, spansOf(graph, machine, first.plan.steps));
    writeJson(trace, toChromeTrace(events, `planned: ${graph.name}, ${first.policy} on ${machine.name}`));
  }
  if (report !== undefined) {
    writeReport(report, {
      json: () => toJson(source, made, proof, why),
      page: () => planPage(source, made, proof, why),
    });
  }
  process.stdout.write(flags.json === true ? toJson(source, made, proof, why) : toText(source, made, proof, why));
  return made.some(({ fits }) => fits) ? 0 : DOES_NOT_FIT;
}

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
function policiesOf(names: readonly string[], settings: AutoOptions): Policy[] {
  const all = names.flatMap((name) =>
    name === ALL ? policies : [findByName("policy", [...policies, { name: ALL } as Policy], name)],
  );
  return [...new Set(all)].map((policy) => (policy.name === "auto" ? autoPolicy(settings) : policy));
}

/** A plan with proof that it keeps the rules, or marked: as one that exceeds a budget, or, worse, as one that breaks another rule. */
function checkedPlan({ graph, machine }: PlanSource, policy: Policy): Made {
  const start = performance.now();
  const { plan, fits } = makePlan(graph, machine, policy);
  const planned = performance.now();
  let totals = totalsOf(plan, graph);
  let flaw: string | undefined;
  let isValid = fits;
  try {
    if (fits) totals = { ...totals, peakSpillBytes: validate(graph, plan.steps, machine).peakSpillBytes };
  } catch (error) {
    isValid = false;
    if (exceededTier(error) === null) flaw = messageOf(error);
  }
  const checkedIn = formatMs(performance.now() - planned);
  const verdict = isValid ? `valid (checked in ${checkedIn})` : (flaw ?? "it does not fit");
  process.stderr.write(`vdnn: ${policy.name} planned in ${formatMs(planned - start)}; ${verdict}\n`);
  const isAuto = policy.name === "auto";
  const bound = isAuto ? plan.predicted.lowerBoundMs : lowerBoundMs(problemOf(graph), machine, { recompute: true });
  const isBound = Number.isFinite(bound) && bound <= plan.predicted.stepMs;
  const predicted = { ...plan.predicted, ...(isBound ? { lowerBoundMs: bound } : {}) };
  const row = { by: policy, policy: plan.policy, fits: isValid, plan: { ...plan, predicted }, predicted, totals };
  return flaw === undefined ? row : { ...row, flaw };
}

/** @throws anything that is no verdict about the plan */
function messageOf(error: unknown): string {
  if (hasCode(error, "ERR_INVALID_PLAN")) return error.message;
  throw error;
}

function totalsOf({ steps }: Plan, { tensors }: PlanSource["graph"]): PlanTotals {
  let [prefetchBytes, spillWriteBytes, spillReadBytes, kernelRuns] = [0, 0, 0, 0];
  const inSpill = new Set<number>();
  for (const step of steps) {
    if (step.kind === "compute" || step.kind === "recompute") kernelRuns++;
    else if (step.kind !== "free") {
      const bytes = tensors[step.tensor]?.bytes ?? 0;
      if (step.kind === "prefetch" && step.tier === undefined) prefetchBytes += bytes;
      if (step.kind === "offload" && step.tier === "spill" && !inSpill.has(step.tensor)) spillWriteBytes += bytes;
      if (step.kind === "prefetch" && inSpill.has(step.tensor)) spillReadBytes += bytes;
      if (step.kind === "offload" && step.tier === "spill") inSpill.add(step.tensor);
      else inSpill.delete(step.tensor);
    }
  }
  return { peakSpillBytes: 0, prefetchBytes, spillWriteBytes, spillReadBytes, kernelRuns };
}

/** Loaded when asked for: the solver is large. @throws VdnnError `ERR_INVALID_OPTION` where the graph is too large to prove anything */
async function proofOf(
  { graph, machine }: PlanSource,
  { predicted }: Made,
  { recompute = true }: AutoOptions,
): Promise<Proof> {
  const { certify } = await import("../plan/certify.ts");
  const { stepMs, lowerBoundMs: knownBoundMs } = predicted;
  const found = await certify(graph, machine, { recompute, knownMs: stepMs });
  // Where nothing faster was found, the plan itself is the best that is known.
  const optimalMs = Math.min(found.optimalMs, stepMs);
  const boundMs = Math.min(Math.max(found.boundMs, knownBoundMs), optimalMs);
  return { optimalMs, boundMs, proven: boundMs >= optimalMs * (1 - PROVEN_SHARE) };
}

function explain({ graph, machine }: PlanSource, { by, plan }: Made, settings: AutoOptions): Why {
  const progress = createProgress();
  progress.show("planning for other budgets");
  try {
    return describe(graph, machine, by, plan, { auto: settings });
  } finally {
    progress.clear();
  }
}

/** Says what would fit; with `--json`, on standard output too. */
function refuse({ graph, machine }: PlanSource, policy: Policy, { json }: PlanFlags, settings: AutoOptions): never {
  const error = shortage(graph, machine, policy, settings);
  if (json === true) {
    const { code, message, details } = error;
    process.stdout.write(
      `${JSON.stringify({ schema: "vdnn-error/1", graph: graph.name, error: { code, message, details } })}\n`,
    );
  }
  throw error;
}

/** @throws VdnnError `ERR_INVALID_OPTION` */
function traceFile({ trace, why, certify }: PlanFlags, chosen: readonly Policy[]): string | undefined {
  const single = Object.entries({ trace, why, certify }).find(([, value]) => value !== undefined);
  if (single !== undefined && chosen.length > 1) {
    const [option] = single;
    throw new VdnnError("ERR_INVALID_OPTION", `--${option}: is of one plan; name one --policy`, { option });
  }
  return trace === undefined ? undefined : outputFile(trace, "--trace");
}
