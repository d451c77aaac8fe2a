/**
 * A small graph as the exact model sees it: versions of tensors, the gaps between their uses, and the bytes that are live with
 * everything kept. Written apart from the planner's own view of gaps, so that one can be held against the other.
 */
import type { Graph, KernelIndex, TensorIndex } from "../../graph/graph.ts";
import { existsAfter, existsBefore } from "../../graph/lifetimes.ts";

/** One content of a tensor that may be copied out, once. */
export interface Version {
  readonly tensor: TensorIndex;
  readonly bytes: number;
  /** -1 for what is there before the first kernel. */
  readonly writer: KernelIndex;
}

/** Between two uses of a version, at least one kernel apart. */
export interface Gap {
  readonly version: number;
  readonly bytes: number;
  readonly after: KernelIndex;
  readonly before: KernelIndex;
}

export interface Lives {
  readonly versions: readonly Version[];
  readonly gaps: readonly Gap[];
  /** Bytes live while kernel k runs, workspace included. */
  readonly during: readonly number[];
  /** Bytes live between kernel k - 1 and kernel k. */
  readonly ahead: readonly number[];
  /** Kernel k takes new device bytes. */
  readonly allocates: readonly boolean[];
  /** Tensors to free after kernel k: dead, or overwritten unread before they are used again. */
  readonly dead: readonly (readonly TensorIndex[])[];
}

export function livesOf(graph: Graph): Lives {
  const n = graph.kernels.length;
  const versions: Version[] = [];
  const gaps: Gap[] = [];
  const during = graph.kernels.map(({ workspaceBytes = 0 }) => workspaceBytes);
  const allocates = during.map((bytes) => bytes > 0);
  const ahead = Array.from({ length: n }, () => 0);
  const dead: TensorIndex[][] = Array.from({ length: n }, () => []);
  graph.tensors.forEach(({ bytes, role }, tensor) => {
    const moves = role === "activation" || role === "gradient" || role === "input";
    let last = existsBefore(role) ? -1 : undefined;
    let version = -1;
    const live = (from: KernelIndex, to: KernelIndex): void => {
      for (let k = from; k < to; k++) {
        during[k] = (during[k] ?? 0) + bytes;
        if (k > from || from === 0) ahead[k] = (ahead[k] ?? 0) + bytes;
      }
    };
    const begin = (writer: KernelIndex): void => {
      version = versions.push({ tensor, bytes, writer }) - 1;
    };
    /** Kernel from which the current stay counts. */
    let since = 0;
    if (last === -1) begin(-1);
    graph.kernels.forEach(({ inputs, outputs }, k) => {
      const [reads, writes] = [inputs.includes(tensor), outputs.includes(tensor)];
      if (!reads && !writes) return;
      if (last === undefined) {
        since = k;
        allocates[k] ||= bytes > 0;
      } else if (!reads && moves && last >= 0 && k - last >= 2) {
        live(since, last + 1);
        dead[last]?.push(tensor);
        since = k;
        allocates[k] ||= bytes > 0;
      } else if (reads && moves && last >= 0 && k - last >= 2 && bytes > 0) {
        gaps.push({ version, bytes, after: last, before: k });
      }
      if (writes) begin(k);
      last = k;
    });
    if (last === undefined) return;
    const stays = existsAfter(role);
    live(since, stays ? n : last + 1);
    if (!stays && last >= 0) dead[last]?.push(tensor);
  });
  // A stay that begins with kernel k is not there ahead of it, save what exists before the first kernel.
  ahead[0] = graph.tensors.reduce((sum, { bytes, role }) => sum + (existsBefore(role) ? bytes : 0), 0);
  return { versions, gaps, during, ahead, allocates, dead };
}
