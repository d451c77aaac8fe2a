/**
 * A graph as flat arrays, for loops that run over it thousands of times. Same indices as the graph; nothing is decided here.
 */
import type { Graph, GraphKernel, GraphTensor } from "../graph/graph.ts";

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
  const { kernels, tensors } = graph;
  const ms = new Float64Array(kernels.length);
  const workspaceBytes = new Float64Array(kernels.length);
  const bytes = new Float64Array(tensors.length);
  // A search flattens thousands of graphs: plain loops, as TypedArray.from is several times slower.
  for (let k = 0; k < kernels.length; k++) {
    const kernel = kernels[k] as GraphKernel;
    ms[k] = kernel.ms;
    workspaceBytes[k] = kernel.workspaceBytes ?? 0;
  }
  for (let t = 0; t < tensors.length; t++) bytes[t] = (tensors[t] as GraphTensor).bytes;
  return {
    kernelCount: kernels.length,
    tensorCount: tensors.length,
    ms,
    workspaceBytes,
    bytes,
    inputs: lists(kernels, "inputs"),
    outputs: lists(kernels, "outputs"),
  };
}

function lists(kernels: readonly GraphKernel[], which: "inputs" | "outputs"): Lists {
  const start = new Int32Array(kernels.length + 1);
  let count = 0;
  for (let k = 0; k < kernels.length; k++) count += (kernels[k] as GraphKernel)[which].length;
  const items = new Int32Array(count);
  let end = 0;
  for (let k = 0; k < kernels.length; k++) {
    const list = (kernels[k] as GraphKernel)[which];
    const first = end;
    for (let i = 0; i < list.length; i++) {
      const item = list[i] as number;
      let seen = first;
      while (seen < end && items[seen] !== item) seen++;
      if (seen === end) items[end++] = item;
    }
    start[k + 1] = end;
  }
  return { start, items };
}
