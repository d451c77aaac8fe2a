/**
 * Gradient checkpointing (Chen et al., 2016): the layers are cut into about √n segments. Tensors that cross a cut stay; the
 * others are dropped after the forward pass of their segment, and the segment's kernels run once more when its backward pass
 * begins. Nothing moves.
 */
import type { Graph, KernelIndex } from "../../graph/graph.ts";
import { layersOf } from "../../graph/layers.ts";
import { existsAfter, lifetimes } from "../../graph/lifetimes.ts";
import { recomputeUnits } from "../recompute-units.ts";
import type { Policy } from "../policy.ts";
import { type Recompute, weave } from "../steps.ts";
import { oneWay } from "./one-way.ts";

export const checkpoint: Policy = oneWay(
  {
    name: "checkpoint",
    summary: "keep every √n-th layer's output, recompute the rest; nothing moves",
    mayOffload: false,
    firstIteration: "keep",
  },
  (graph) => weave(graph, [], segmentRecomputes(graph)),
);

/** What runs again for one tensor. */
interface Chain {
  readonly segment: number;
  /** Backward kernel before which it runs. */
  readonly before: KernelIndex;
  readonly into: Set<KernelIndex>;
}

/** For each segment: the forward kernels to run again, and the backward kernel before which they run. */
function segmentRecomputes(graph: Graph): Recompute[] {
  const layers = layersOf(graph);
  const perSegment = Math.max(1, Math.ceil(Math.sqrt(layers.length)));
  const segmentOf = new Map<KernelIndex, number>();
  layers.forEach(({ forward }, position) => {
    for (const k of forward) segmentOf.set(k, Math.floor(position / perSegment));
  });
  const lives = lifetimes(graph);
  const units = recomputeUnits(graph);
  const membersOf = (k: KernelIndex): Int32Array => {
    const unit = units.unitOf[k] ?? 0;
    return units.members.subarray(units.memberStart[unit], units.memberStart[unit + 1]);
  };
  /** With all that has to run again together, and that is of this segment's forward pass too. */
  const mayRunAgain = (k: KernelIndex, segment: number, before: KernelIndex): boolean =>
    before <= (units.latest[units.unitOf[k] ?? 0] ?? -1) &&
    membersOf(k).every((member) => segmentOf.get(member) === segment);
  const needs = new Map<number, { first: KernelIndex; kernels: Set<KernelIndex> }>();
  for (const { role, definedBy, uses } of lives) {
    const segment = segmentOf.get(definedBy);
    if (segment === undefined || existsAfter(role) || crossesCut(uses, segment, segmentOf)) continue;
    const firstBackward = uses.find((k) => graph.kernels[k]?.pass === "backward");
    if (firstBackward === undefined || !mayRunAgain(definedBy, segment, firstBackward)) continue;
    const need = needs.get(segment) ?? { first: firstBackward, kernels: new Set() };
    collect(definedBy, { segment, before: firstBackward, into: need.kernels });
    need.first = Math.min(need.first, firstBackward);
    needs.set(segment, need);
  }
  return [...needs.values()].map(({ first, kernels }) => ({
    before: first,
    kernels: [...kernels].toSorted((a, b) => a - b),
  }));

  /** Adds a kernel, those that run again with it, and those of its segment that they build on. */
  function collect(k: KernelIndex, chain: Chain): void {
    const { segment, before, into } = chain;
    if (into.has(k)) return;
    const members = membersOf(k);
    for (const member of members) into.add(member);
    for (const member of members) {
      for (const t of graph.kernels[member]?.inputs ?? []) {
        const p = lives[t]?.definedBy ?? -1;
        if (p < 0 || segmentOf.get(p) !== segment || crossesCut(lives[t]?.uses ?? [], segment, segmentOf)) continue;
        // A kernel that cannot run again keeps its output, which is then simply there.
        if (mayRunAgain(p, segment, before)) collect(p, chain);
      }
    }
  }
}

/** A later segment's forward pass reads it too. */
function crossesCut(
  uses: readonly KernelIndex[],
  segment: number,
  segmentOf: ReadonlyMap<KernelIndex, number>,
): boolean {
  return uses.some((k) => (segmentOf.get(k) ?? segment) !== segment);
}
