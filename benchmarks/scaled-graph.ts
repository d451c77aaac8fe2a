/**
 * A traced iteration as it would be at another batch size: bytes times the ratio of the batches, every kernel's time times one factor
 * that makes their sum what was published for that batch. Scaled, not traced: in truth each kernel's time grows by a factor of its own.
 *
 * G10's graphs hold broadcast constants as weights, of the size of a feature map; these grow with the batch. A weight proper and its
 * gradient do not. The sum of all bytes then is within 0.6 % of what G10 publishes for the larger batch.
 */
import type { Graph } from "../src/graph/graph.ts";

export interface Scaling {
  /** New batch size over the traced one. */
  readonly batchRatio: number;
  /** Sum of the kernels' times at the new batch size, ms. */
  readonly idealMs: number;
}

/** The traces count in pages. */
const PAGE_BYTES = 4096;

export function scaledGraph(graph: Graph, name: string, { batchRatio, idealMs }: Scaling): Graph {
  const { tensors, kernels } = graph;
  const oracleMs = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const mapSizes = new Set(tensors.flatMap(({ role, bytes }) => (role === "activation" ? [bytes] : [])));
  const fixed = weightGradients(graph);
  tensors.forEach(({ role }, t) => {
    if (role === "weight" || role === "state") fixed.add(t);
  });
  return {
    ...graph,
    name,
    tensors: tensors.map((tensor, t) =>
      fixed.has(t) && !mapSizes.has(tensor.bytes)
        ? tensor
        : { ...tensor, bytes: Math.round((tensor.bytes * batchRatio) / PAGE_BYTES) * PAGE_BYTES },
    ),
    kernels: kernels.map((kernel) => ({ ...kernel, ms: (kernel.ms * idealMs) / oracleMs })),
  };
}

/** What a kernel behind the forward pass reads beside a weight of the same size that it writes. */
function weightGradients({ tensors, kernels }: Graph): Set<number> {
  const found = new Set<number>();
  for (const { pass, inputs, outputs } of kernels) {
    if (pass === "forward") continue;
    const sizes = new Set(outputs.flatMap((t) => (tensors[t]?.role === "weight" ? [tensors[t].bytes] : [])));
    for (const t of inputs) {
      const tensor = tensors[t];
      if (tensor !== undefined && tensor.role !== "weight" && sizes.has(tensor.bytes)) found.add(t);
    }
  }
  return found;
}
