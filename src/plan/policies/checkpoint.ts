/**
 * Gradient checkpointing (Chen et al., 2016): the layers are cut into about √n segments. Tensors that cross a cut stay; the
 * others are dropped after the forward pass of their segment, and the segment's kernels run once more when its backward pass
 * begins. Nothing moves.
 */
import type { Graph, KernelIndex, TensorIndex } from "../../graph/graph.ts";
import { layersOf } from "../../graph/layers.ts";
import { existsAfter, lifetimes } from "../../graph/lifetimes.ts";
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { Policy } from "../policy.ts";
import { type Recompute, weave } from "../steps.ts";

export const checkpoint: Policy = {
  name: "checkpoint",
  summary: "keep every √n-th layer's output, recompute the rest; nothing moves",
  passthrough: false,
  mayOffload: false,
  firstIteration: "keep",
  decide(graph, machine) {
    const steps = weave(graph, [], segmentRecomputes(graph));
    return { steps, chosen: "checkpoint", fits: fitsDryRun(dryRun(graph, steps), machine) };
  },
};

/** For each segment: the forward kernels to run again, and the backward kernel before which they run. */
function segmentRecomputes(graph: Graph): Recompute[] {
  const layers = layersOf(graph);
  const perSegment = Math.max(1, Math.ceil(Math.sqrt(layers.length)));
  const segmentOf = new Map<KernelIndex, number>();
  layers.forEach(({ forward }, position) => {
    for (const k of forward) segmentOf.set(k, Math.floor(position / perSegment));
  });
  const lives = lifetimes(graph);
  const producer = (t: TensorIndex): KernelIndex => lives[t]?.definedBy ?? -1;
  const canRunAgain = rerunnable(graph);
  const needs = new Map<number, { first: KernelIndex; kernels: Set<KernelIndex> }>();
  for (const { role, definedBy, uses } of lives) {
    const segment = segmentOf.get(definedBy);
    if (segment === undefined || existsAfter(role) || crossesCut(uses, segment, segmentOf)) continue;
    if (!canRunAgain(definedBy)) continue;
    const firstBackward = uses.find((k) => graph.kernels[k]?.pass === "backward");
    if (firstBackward === undefined) continue;
    const need = needs.get(segment) ?? { first: firstBackward, kernels: new Set() };
    collect(definedBy, segment, need.kernels);
    need.first = Math.min(need.first, firstBackward);
    needs.set(segment, need);
  }
  return [...needs.values()].map(({ first, kernels }) => ({
    before: first,
    kernels: [...kernels].toSorted((a, b) => a - b),
  }));

  /** Adds a kernel and those of its segment that it builds on. */
  function collect(k: KernelIndex, segment: number, into: Set<KernelIndex>): void {
    if (into.has(k)) return;
    into.add(k);
    for (const t of graph.kernels[k]?.inputs ?? []) {
      const p = producer(t);
      if (p < 0 || segmentOf.get(p) !== segment || crossesCut(lives[t]?.uses ?? [], segment, segmentOf)) continue;
      // A kernel that cannot run again keeps its output, which is then simply there.
      if (canRunAgain(p)) collect(p, segment, into);
    }
  }
}

/** What a kernel reads must be there as it was, and what it writes must be its alone: updates in place are not run again. */
function rerunnable(graph: Graph): (k: KernelIndex) => boolean {
  const lastWriter = new Map<TensorIndex, KernelIndex>();
  const writers = new Map<TensorIndex, number>();
  graph.kernels.forEach(({ pass, outputs }, k) => {
    // Everything has run again before the update begins.
    for (const t of pass === "update" ? [] : outputs) {
      lastWriter.set(t, k);
      writers.set(t, (writers.get(t) ?? 0) + 1);
    }
  });
  return (k) => {
    const kernel = graph.kernels[k];
    if (kernel === undefined || kernel.recomputable === false) return false;
    return (
      kernel.outputs.every((t) => writers.get(t) === 1) && kernel.inputs.every((t) => (lastWriter.get(t) ?? -1) < k)
    );
  };
}

/** A later segment's forward pass reads it too. */
function crossesCut(
  uses: readonly KernelIndex[],
  segment: number,
  segmentOf: ReadonlyMap<KernelIndex, number>,
): boolean {
  return uses.some((k) => (segmentOf.get(k) ?? segment) !== segment);
}
