/**
 * vDNN as its paper runs it (Rhu et al., MICRO 2016, section III): memory is managed layer by layer, and both streams are
 * synchronized at the end of each layer, so a copy overlaps with one layer and no further.
 *
 *   compute   |conv1   |conv2      |pool2|.....|conv3 |      forward: the input of a layer leaves while the layer computes
 *   offload   |x1---|  |x2------|  |x3---------|x4--|        and the next layer waits for both
 *   prefetch                                                 backward: likewise, one layer ahead
 *
 * vdnn's own policies (src/plan/policies) let copies run on; these lists exist to reproduce the paper's figures. They are plan
 * steps like any others, in groups: a group ends when everything in it has ended.
 */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsAfter, lifetimes } from "../graph/lifetimes.ts";
import type { PlanStep } from "../plan/plan.ts";
import { convolutionGaps } from "../plan/policies/vdnn-conv.ts";
import { ACTIVATIONS } from "./layer-context.ts";
import { forwardGaps, scheduleTransfers } from "../plan/transfers.ts";

/** Which feature maps leave: none, the inputs of convolutions, or all. */
export type Offloading = "none" | "conv" | "all";

/** The steps of one layer in one pass. */
export type Group = readonly PlanStep[];

export function layeredSteps(graph: Graph, offloading: Offloading): Group[] {
  const groups = groupKernels(graph);
  const groupOf = new Int32Array(graph.kernels.length);
  groups.forEach(({ first, last }, g) => groupOf.fill(g, first, last + 1));
  const before = groups.map((): PlanStep[] => []);
  const after = groups.map((): PlanStep[] => []);
  const freedAt = new Map<TensorIndex, number>();
  const lastForwardWrites = lastForwardWritesOf(graph);

  const gaps = offloading === "none" ? [] : offloading === "conv" ? convolutionGaps(graph) : forwardGaps(graph);
  for (const { tensor, after: lastUse, prefetchBefore, neededBy } of scheduleTransfers(graph, gaps)) {
    const leaves = groupOf[lastUse] as number;
    // What a layer writes and reads itself can only leave once it has run.
    const isInput = (lastForwardWrites.get(tensor) ?? -1) < (groups[leaves]?.first ?? 0);
    (isInput ? before : after)[leaves]?.push({ kind: "offload", tensor, tier: "host", keep: true });
    after[leaves]?.push({ kind: "free", tensor });
    const isDemanded = prefetchBefore === neededBy;
    const arrives = groupOf[prefetchBefore] as number;
    before[isDemanded ? arrives : lastOfLayer(graph, groups, arrives)]?.push({ kind: "prefetch", tensor });
  }
  for (const { tensor, role, lastUse } of lifetimes(graph)) {
    if (!existsAfter(role) && lastUse >= 0) freedAt.set(tensor, groupOf[lastUse] as number);
  }
  for (const [tensor, g] of freedAt) after[g]?.push({ kind: "free", tensor });
  return groups.map(({ first, last }, g) => [
    ...(before[g] ?? []),
    ...Array.from({ length: last - first + 1 }, (_, i): PlanStep => ({ kind: "compute", kernel: first + i })),
    ...(after[g] ?? []),
  ]);
}

interface KernelRange {
  readonly first: KernelIndex;
  readonly last: KernelIndex;
}

/** Neighbours of the same layer and pass; an activation that is built into a layer is a layer of its own, as in the paper. */
function groupKernels({ kernels }: Graph): KernelRange[] {
  const groups: { first: KernelIndex; last: KernelIndex }[] = [];
  kernels.forEach((kernel, k) => {
    const before = kernels[k - 1];
    const group = groups.at(-1);
    const isSame = before?.layer === kernel.layer && before?.pass === kernel.pass;
    if (group !== undefined && isSame && isActivation(before?.name) === isActivation(kernel.name)) group.last = k;
    else groups.push({ first: k, last: k });
  });
  return groups;
}

const ACTIVATION_KERNELS: ReadonlySet<string> = new Set(
  Object.values(ACTIVATIONS).flatMap((name) => [name, `${name}Grad`]),
);

function isActivation(kernelName: string | undefined): boolean {
  return kernelName !== undefined && ACTIVATION_KERNELS.has(kernelName);
}

/** The last group of the same layer and pass: where its convolution runs backward, after its activation. */
function lastOfLayer({ kernels }: Graph, groups: readonly KernelRange[], g: number): number {
  const kernelOf = (at: number): Graph["kernels"][number] | undefined => kernels[groups[at]?.first ?? -1];
  let last = g;
  while (kernelOf(last + 1)?.layer === kernelOf(g)?.layer && kernelOf(last + 1)?.pass === kernelOf(g)?.pass) last++;
  return last;
}

function lastForwardWritesOf({ kernels }: Graph): Map<TensorIndex, KernelIndex> {
  const writes = new Map<TensorIndex, KernelIndex>();
  kernels.forEach(({ pass, outputs }, k) => {
    if (pass === "forward") for (const t of outputs) writes.set(t, k);
  });
  return writes;
}

/** Device bytes at each kernel, its outputs there and its workspace not. */
export function bytesAtKernels(graph: Graph, groups: readonly Group[]): Float64Array {
  const bytes = new Float64Array(graph.kernels.length);
  const isHere = new Uint8Array(graph.tensors.length);
  let here = 0;
  const enter = (t: TensorIndex): void => {
    if (isHere[t] === 1) return;
    isHere[t] = 1;
    here += graph.tensors[t]?.bytes ?? 0;
  };
  graph.tensors.forEach(({ role }, t) => {
    if (role === "weight" || role === "state" || role === "input") enter(t);
  });
  for (const step of groups.flat()) {
    if (step.kind === "compute" || step.kind === "recompute") {
      graph.kernels[step.kernel]?.outputs.forEach(enter);
      bytes[step.kernel] = here;
    } else if (step.kind === "prefetch") {
      enter(step.tensor);
    } else if (step.kind === "free" && isHere[step.tensor] === 1) {
      isHere[step.tensor] = 0;
      here -= graph.tensors[step.tensor]?.bytes ?? 0;
    }
  }
  return bytes;
}
