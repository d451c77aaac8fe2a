/**
 * A graph as flat arrays, for loops that run over it thousands of times. Same indices as the graph; nothing is decided here.
 */
import type { Graph } from "../graph/graph.ts";

/** Lists of lists of indices in one array: list i is `items[start[i] .. start[i + 1])`. */
export interface Lists {
  readonly start: Int32Array;
  readonly items: Int32Array;
}

export interface FlatGraph {
  readonly kernelCount: number;
  readonly tensorCount: number;
  readonly ms: Float64Array;
  readonly workspaceBytes: Float64Array;
  readonly bytes: Float64Array;
  /** Distinct tensors that a kernel reads. */
  readonly inputs: Lists;
  /** Distinct tensors that a kernel writes. */
  readonly outputs: Lists;
}

export function flatten(graph: Graph): FlatGraph {
  return {
    kernelCount: graph.kernels.length,
    tensorCount: graph.tensors.length,
    ms: Float64Array.from(graph.kernels, ({ ms }) => ms),
    workspaceBytes: Float64Array.from(graph.kernels, ({ workspaceBytes = 0 }) => workspaceBytes),
    bytes: Float64Array.from(graph.tensors, ({ bytes }) => bytes),
    inputs: lists(graph.kernels.map(({ inputs }) => inputs)),
    outputs: lists(graph.kernels.map(({ outputs }) => outputs)),
  };
}

function lists(of: readonly (readonly number[])[]): Lists {
  const start = new Int32Array(of.length + 1);
  let count = 0;
  for (const list of of) count += list.length;
  const items = new Int32Array(count);
  let end = 0;
  for (let i = 0; i < of.length; i++) {
    for (const item of of[i] as readonly number[]) {
      let seen = start[i] as number;
      while (seen < end && items[seen] !== item) seen++;
      if (seen === end) items[end++] = item;
    }
    start[i + 1] = end;
  }
  return { start, items };
}
