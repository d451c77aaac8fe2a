/** A plan made ready to run beside a program: what to do after each of its kernels. */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { lastPrefetches } from "../plan/copies.ts";
import type { Plan, PlanStep } from "../plan/plan.ts";
import { distinct } from "./oplog.ts";

export interface CompiledPlan {
  readonly graph: Graph;
  readonly plan: Plan;
  /** Steps before the first kernel. */
  readonly first: readonly PlanStep[];
  /** Steps between kernel k and the next. */
  readonly after: readonly (readonly PlanStep[])[];
  /** Device bytes that kernel k needs beyond what is there. */
  readonly needBytes: readonly number[];
  /** Bytes that kernel k reads. */
  readonly inputBytes: readonly number[];
  /** Kernels that use a tensor, ascending. */
  readonly uses: readonly (readonly KernelIndex[])[];
  /** Tensors in the order in which the plan calls them back. */
  readonly prefetches: readonly TensorIndex[];
  /** Prefetches that leave the copy in the vault, because a later absence will need it. */
  readonly keepingCopy: ReadonlySet<PlanStep>;
  /** Frees of what is prefetched later. Should the copy be missing after all, they make it. */
  readonly relyingOnCopy: ReadonlySet<PlanStep>;
  /**
   * Tensors to hold after kernel k: the program has no more use for them, but the plan will run kernels again that read them. The
   * plan's own free lets go of them.
   */
  readonly holds: readonly (readonly TensorIndex[])[];
  /**
   * Takes the kernels' times in the next iteration, ms; null when the plan was made with such. The recorded iteration ran cold
   * and reactively, so its times are no good guide.
   */
  readonly timings: Float64Array | null;
  /** It keeps the budget, and an iteration has followed it to its end. */
  readonly isProven: boolean;
}

/** What is smaller waits for the end of its scope, where it has one: freeing it early costs more than it gives. */
export const MIN_FREE_BYTES = 1024;

/**
 * @param calibrated the graph has times of an iteration that followed a plan
 * @param fits the plan keeps the budget
 */
export function compile(graph: Graph, plan: Plan, calibrated: boolean, fits: boolean): CompiledPlan {
  const uses = usesOf(graph);
  const holds = heldTensors(graph, plan.steps, uses);
  // What the runtime makes or holds for the plan is in no scope.
  const isOwned = ownedTensors(graph, plan.steps, holds);
  const first: PlanStep[] = [];
  const after: PlanStep[][] = graph.kernels.map(() => []);
  let list = first;
  for (const step of plan.steps) {
    if (step.kind === "compute") list = after[step.kernel] ?? [];
    else if (
      step.kind !== "free" ||
      (graph.tensors[step.tensor]?.bytes ?? 0) >= MIN_FREE_BYTES ||
      isOwned.has(step.tensor)
    )
      list.push(step);
  }
  const needBytes = graph.kernels.map(({ outputs, workspaceBytes = 0 }, k) =>
    outputs.reduce((sum, t) => sum + (uses[t]?.[0] === k ? (graph.tensors[t]?.bytes ?? 0) : 0), workspaceBytes),
  );
  const prefetches = plan.steps.flatMap((step) =>
    step.kind === "prefetch" && step.tier !== "host" ? [step.tensor] : [],
  );
  const timings = calibrated ? null : new Float64Array(graph.kernels.length).fill(Number.NaN);
  const isLast = lastPrefetches(graph, plan.steps);
  const keepingCopy = new Set(plan.steps.filter((step, i) => step.kind === "prefetch" && isLast[i] === 0));
  return {
    graph,
    plan,
    first,
    after,
    needBytes,
    inputBytes: graph.kernels.map(({ inputs }) => inputs.reduce((sum, t) => sum + (graph.tensors[t]?.bytes ?? 0), 0)),
    uses,
    prefetches,
    keepingCopy,
    relyingOnCopy: reliantFrees(graph, plan.steps),
    holds,
    timings,
    isProven: calibrated && fits,
  };
}

function reliantFrees(graph: Graph, steps: readonly PlanStep[]): Set<PlanStep> {
  const frees = new Set<PlanStep>();
  const comesBack = new Set<TensorIndex>();
  for (const step of steps.toReversed()) {
    if (step.kind === "prefetch") comesBack.add(step.tensor);
    else if (step.kind === "free") {
      if (comesBack.has(step.tensor)) frees.add(step);
    } else if (step.kind !== "offload") {
      for (const t of graph.kernels[step.kernel]?.outputs ?? []) comesBack.delete(t);
    }
  }
  return frees;
}

function usesOf({ kernels, tensors }: Graph): KernelIndex[][] {
  const uses: KernelIndex[][] = tensors.map(() => []);
  kernels.forEach(({ inputs, outputs }, k) => {
    for (const t of distinct([...inputs, ...outputs])) uses[t]?.push(k);
  });
  return uses;
}

/**
 * The program disposes a tensor after its last kernel that uses it; a plan may keep the same tensor longer, as the input of what it
 * recomputes.
 */
function heldTensors(
  { kernels, tensors }: Graph,
  steps: readonly PlanStep[],
  uses: readonly (readonly KernelIndex[])[],
): TensorIndex[][] {
  const holds: TensorIndex[][] = kernels.map(() => []);
  /** Tensors that the program is done with, and the plan not yet: after which kernel. */
  const outlived = new Map<TensorIndex, KernelIndex>();
  const isOfIteration = (t: TensorIndex): boolean => {
    const role = tensors[t]?.role;
    return role === "activation" || role === "gradient";
  };
  for (const step of steps) {
    if (step.kind === "free") outlived.delete(step.tensor);
    else if (step.kind === "compute") {
      const { inputs = [], outputs = [] } = kernels[step.kernel] ?? {};
      for (const t of [...inputs, ...outputs])
        if (uses[t]?.at(-1) === step.kernel && isOfIteration(t)) outlived.set(t, step.kernel);
    } else if (step.kind === "recompute") {
      const { inputs = [], outputs = [] } = kernels[step.kernel] ?? {};
      for (const t of inputs) {
        const since = outlived.get(t);
        if (since === undefined) continue;
        holds[since]?.push(t);
        outlived.delete(t);
      }
      for (const t of outputs) outlived.delete(t);
    }
  }
  return holds;
}

/** Tensors that the plan recomputes or holds. */
function ownedTensors(
  { kernels }: Graph,
  steps: readonly PlanStep[],
  holds: readonly (readonly TensorIndex[])[],
): ReadonlySet<TensorIndex> {
  const owned = new Set(holds.flat());
  for (const step of steps)
    if (step.kind === "recompute") for (const t of kernels[step.kernel]?.outputs ?? []) owned.add(t);
  return owned;
}
