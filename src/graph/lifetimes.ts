/**
 * When each tensor of a graph is used. Kernel indices are positions in execution order.
 */
import type { Graph, KernelIndex, Role, TensorIndex } from "./graph.ts";

export interface Lifetime {
  readonly tensor: TensorIndex;
  readonly bytes: number;
  readonly role: Role;
  /** Kernel that first wrote it; -1 for what exists before the iteration. */
  readonly definedBy: KernelIndex;
  /** Kernels that read or write it, ascending. */
  readonly uses: readonly KernelIndex[];
  readonly lastUse: KernelIndex;
  /** It is there after the last kernel. */
  readonly outlives: boolean;
}

export function lifetimes(graph: Graph): Lifetime[] {
  const uses: KernelIndex[][] = graph.tensors.map(() => []);
  const definedBy: KernelIndex[] = graph.tensors.map(({ role }) => (existsBefore(role) ? -1 : -2));
  graph.kernels.forEach((kernel, k) => {
    for (const t of kernel.inputs) note(uses[t], k);
    for (const t of kernel.outputs) {
      note(uses[t], k);
      if (definedBy[t] === -2) definedBy[t] = k;
    }
  });
  return graph.tensors.map(({ bytes, role }, tensor) => ({
    tensor,
    bytes,
    role,
    definedBy: definedBy[tensor] ?? -1,
    uses: uses[tensor] ?? [],
    lastUse: uses[tensor]?.at(-1) ?? -1,
    outlives: existsAfter(role),
  }));
}

export function existsBefore(role: Role): boolean {
  return role === "weight" || role === "state" || role === "input";
}

/** Inputs belong to the caller, so they stay too. */
export function existsAfter(role: Role): boolean {
  return role !== "activation" && role !== "gradient";
}

function note(list: KernelIndex[] | undefined, k: KernelIndex): void {
  if (list !== undefined && list.at(-1) !== k) list.push(k);
}

/** Index of the first kernel after the forward pass; the number of kernels when there is none. */
export function backwardStart(graph: Graph): KernelIndex {
  const start = graph.kernels.findIndex((kernel) => kernel.pass !== "forward");
  return start < 0 ? graph.kernels.length : start;
}
