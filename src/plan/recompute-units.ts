/**
 * What must run again together. A kernel that is run again writes all its outputs; where one of them was updated in place later,
 * the update has to run again too, or the tensor would be left in its older version. So kernels that write the same tensor form
 * one *unit*, and so does a kernel that reads a version that was overwritten: it can only be run between the two writers. A unit
 * is re-run in the order of the first pass, as far as it had come. Most units are one kernel.
 *
 * Tensors that exist before the iteration (weights, state, inputs) cannot be rebuilt. A kernel that updates one never runs
 * again, and one that reads one may only run again until the next update. Nothing runs again once the update pass has begun:
 * by then the program has let go of what a chain might have to go back to, and its weights are on their way out.
 */
import type { Graph, GraphKernel, KernelIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { firstFrom } from "./ascending.ts";
import { bucketed } from "./buckets.ts";

export interface Units {
  readonly count: number;
  /** Unit of each kernel. */
  readonly unitOf: Int32Array;
  /** Kernels of unit u: `members[memberStart[u] … memberStart[u + 1])`, ascending. Units are ordered by their first kernel. */
  readonly memberStart: Int32Array;
  readonly members: Int32Array;
  /**
   * Last kernel before which unit u may be re-run; the number of kernels − 1 where nothing forbids it. Not after its own first
   * kernel when it never may.
   */
  readonly latest: Int32Array;
  /** First kernel that writes each tensor; -1 for tensors that exist before the iteration or are never written. */
  readonly firstWriter: Int32Array;
}

export function recomputeUnits(graph: Graph): Units {
  const { kernels, tensors } = graph;
  const n = kernels.length;
  const firstWriter = new Int32Array(tensors.length).fill(-1);
  const writers: KernelIndex[][] = tensors.map(() => []);
  kernels.forEach(({ outputs }, k) => {
    for (const t of outputs) if (writers[t]?.at(-1) !== k) writers[t]?.push(k);
  });
  const pinned = (t: number): boolean => existsBefore(tensors[t]?.role ?? "weight") || writers[t]?.length === 0;
  const update = kernels.findIndex(({ pass }) => pass === "update");
  const deadline = new Int32Array(n).fill(update < 0 ? n - 1 : update);
  const parent = Int32Array.from({ length: n }, (_, k) => k);
  writers.forEach((list, t) => {
    if (pinned(t)) return;
    const first = list[0] ?? -1;
    firstWriter[t] = first;
    for (const k of list) union(parent, first, k);
  });
  kernels.forEach((kernel, k) => {
    if (mayRunAgain(kernel) && !kernel.outputs.some(pinned)) return;
    deadline[k] = k;
  });
  const frozen = new Uint8Array(n);
  for (let k = 0; k < n; k++) if (deadline[k]! <= k) frozen[find(parent, k)] = 1;
  kernels.forEach(({ inputs }, k) => {
    for (const t of inputs) {
      const list = writers[t] ?? [];
      const last = list.at(-1) ?? -1;
      if (last <= k) continue;
      const next = list[firstFrom(list, k + 1)] ?? n;
      const first = list[0] ?? -1;
      // Re-running it with the writers around it needs all of them to be allowed to.
      const together = !pinned(t) && first < k && frozen[find(parent, first)] === 0 && deadline[k]! > k;
      if (together && frozen[find(parent, k)] === 0) union(parent, first, k);
      else deadline[k] = Math.min(deadline[k]!, next);
    }
  });
  return { ...collect(parent, deadline), firstWriter };
}

function mayRunAgain({ recomputable, pass }: GraphKernel): boolean {
  return recomputable !== false && pass !== "update";
}

function collect(parent: Int32Array, deadline: Int32Array): Omit<Units, "firstWriter"> {
  const n = parent.length;
  const unitOf = new Int32Array(n);
  let count = 0;
  // A root is the smallest kernel of its unit, so it is met first.
  for (let k = 0; k < n; k++) unitOf[k] = find(parent, k) === k ? count++ : unitOf[find(parent, k)]!;
  const { start: memberStart, items: members } = bucketed(unitOf, count, 0);
  const latest = new Int32Array(count).fill(n - 1);
  unitOf.forEach((unit, k) => (latest[unit] = Math.min(latest[unit]!, deadline[k]!)));
  return { count, unitOf, memberStart, members, latest };
}

function find(parent: Int32Array, k: number): number {
  let root = k;
  while (parent[root] !== root) root = parent[root]!;
  for (let at = k; at !== root;) {
    const next = parent[at]!;
    parent[at] = root;
    at = next;
  }
  return root;
}

function union(parent: Int32Array, a: number, b: number): void {
  const [rootA, rootB] = [find(parent, a), find(parent, b)];
  parent[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
}
