/**
 * Recompute as a longer kernel list. A choice says which kernels run once more, and before which kernel of the iteration; the
 * rewritten graph is an ordinary graph in which every life of a tensor between a (re)computation and its last reader is a tensor
 * of its own. Whoever can plan copies for a graph can therefore plan them beside recomputation, and `originalSteps` translates
 * back. Nothing is decided here: any choice within `units.latest` is legal, and what it saves is a matter of liveness.
 *
 *   choice { kernel: 1, before: 6 }
 *   kernels   0 1 2 3 4 5 | 1' | 6 7
 *   tensor 1    w r . . . .            first life: freed after its last reader before the re-run
 *   tensor 1'               w    r     second life: read by everything after it
 */
import type { Graph, GraphKernel, GraphTensor, KernelIndex, TensorIndex } from "../../graph/graph.ts";
import { VdnnError } from "../../errors.ts";
import type { PlanStep } from "../plan.ts";
import { recomputeUnits, type Units } from "../recompute-units.ts";

/**
 * One more run of everything in a kernel's unit (see recompute-units.ts; mostly the kernel alone), before an original kernel.
 * Several re-runs before the same kernel go in the order of the first pass.
 */
export interface Rerun {
  readonly kernel: KernelIndex;
  readonly before: KernelIndex;
}

export interface Rewritten {
  /** First lives keep the index of their tensor; later lives are appended. */
  readonly graph: Graph;
  /** For each kernel of `graph`: the kernel of the original graph that it runs. */
  readonly originalKernel: Int32Array;
  /** For each kernel of `graph`: 1 where it is a recompute, 0 where it is the first run. */
  readonly isRecompute: Uint8Array;
  /** For each tensor of `graph`: the tensor of the original graph that it is a life of. Lives of one tensor never overlap. */
  readonly originalTensor: Int32Array;
  /** Time of all re-runs, ms. */
  readonly recomputeMs: number;
}

/**
 * @param choice in any order; doubles are ignored
 * @throws VdnnError `ERR_INVALID_PLAN` when a re-run is too early, too late or of a kernel that must not run again
 */
export function rewrite(graph: Graph, choice: readonly Rerun[], units: Units = recomputeUnits(graph)): Rewritten {
  const rerunsBefore = byStage(choice, units);
  const tensors: GraphTensor[] = [...graph.tensors];
  const originalTensor: TensorIndex[] = graph.tensors.map((_, t) => t);
  const current: TensorIndex[] = [...originalTensor];
  const kernels: GraphKernel[] = [];
  const originalKernel: KernelIndex[] = [];
  const isRecompute: number[] = [];
  let recomputeMs = 0;
  const emit = (k: KernelIndex, again: boolean): void => {
    const kernel = graph.kernels[k];
    if (kernel === undefined) return;
    const inputs = relabelled(kernel.inputs, current);
    if (again) {
      recomputeMs += kernel.ms;
      for (const t of new Set(kernel.outputs)) {
        const tensor = graph.tensors[t];
        if (tensor === undefined || units.firstWriter[t] !== k) continue;
        const old = current[t] ?? t;
        // Only the last life outlives the iteration.
        if (tensor.role === "output") tensors[old] = { ...tensor, role: "activation" };
        current[t] = tensors.push(tensor) - 1;
        originalTensor.push(t);
      }
    }
    const outputs = relabelled(kernel.outputs, current);
    kernels.push(inputs === kernel.inputs && outputs === kernel.outputs ? kernel : { ...kernel, inputs, outputs });
    originalKernel.push(k);
    isRecompute.push(again ? 1 : 0);
  };
  for (const k of graph.kernels.keys()) {
    for (const again of rerunsBefore.get(k) ?? []) emit(again, true);
    emit(k, false);
  }
  return {
    graph: { ...graph, tensors, kernels },
    originalKernel: Int32Array.from(originalKernel),
    isRecompute: Uint8Array.from(isRecompute),
    originalTensor: Int32Array.from(originalTensor),
    recomputeMs,
  };
}

/** Steps planned on the rewritten graph, as steps of the original one. Extra fields of a step (tier, keep) are kept. */
export function originalSteps(rewritten: Rewritten, steps: readonly PlanStep[]): PlanStep[] {
  return steps.map((step): PlanStep => {
    if (step.kind === "compute" || step.kind === "recompute") {
      const kernel = rewritten.originalKernel[step.kernel] ?? step.kernel;
      return { kind: rewritten.isRecompute[step.kernel] === 1 ? "recompute" : "compute", kernel };
    }
    return { ...step, tensor: rewritten.originalTensor[step.tensor] ?? step.tensor };
  });
}

/** Kernels to run again before each kernel, ascending. */
function byStage(choice: readonly Rerun[], units: Units): Map<KernelIndex, KernelIndex[]> {
  const stages = new Map<KernelIndex, Set<number>>();
  for (const { kernel, before } of choice) {
    const unit = units.unitOf[kernel] ?? -1;
    const first = units.members[units.memberStart[unit] ?? 0] ?? -1;
    if (unit < 0 || before <= first || before > (units.latest[unit] ?? -1)) {
      throw new VdnnError("ERR_INVALID_PLAN", `kernel ${kernel} cannot run again before kernel ${before}`, {
        kernel,
        before,
        latest: units.latest[unit],
      });
    }
    const at = stages.get(before);
    if (at === undefined) stages.set(before, new Set([unit]));
    else at.add(unit);
  }
  const kernels = new Map<KernelIndex, KernelIndex[]>();
  for (const [stage, at] of stages) {
    const list: KernelIndex[] = [];
    for (const unit of at) {
      for (let m = units.memberStart[unit] ?? 0; m < (units.memberStart[unit + 1] ?? 0); m++) {
        const k = units.members[m] ?? -1;
        if (k < stage) list.push(k);
      }
    }
    kernels.set(
      stage,
      list.toSorted((a, b) => a - b),
    );
  }
  return kernels;
}

/** The same list where nothing in it has another life by now. */
function relabelled(list: readonly TensorIndex[], current: readonly TensorIndex[]): readonly TensorIndex[] {
  for (let i = 0; i < list.length; i++) {
    const t = list[i] as TensorIndex;
    if (current[t] !== t) return list.map((each) => current[each] ?? each);
  }
  return list;
}
