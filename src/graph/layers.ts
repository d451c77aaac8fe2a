/**
 * The layers of a graph, in the order of their forward pass, and where their backward pass begins.
 */
import { append } from "./append.ts";
import type { Graph, KernelIndex } from "./graph.ts";

export interface Layer {
  readonly name: string;
  /** A convolution runs in its forward pass. */
  readonly isConvolution: boolean;
  readonly forward: readonly KernelIndex[];
  /** First kernel of its backward pass; -1 when it has none. */
  readonly backwardStart: KernelIndex;
}

const CONVOLUTIONS: ReadonlySet<string> = new Set([
  "Conv2D",
  "Conv3D",
  "DepthwiseConv2dNative",
  "FusedConv2D",
  "FusedDepthwiseConv2D",
]);

/** True for the forward kernels that vDNN's `conv` policy offloads the inputs of. Transposed ones count as convolutions too. */
export function isConvolution(kernelName: string): boolean {
  return CONVOLUTIONS.has(kernelName);
}

export function layersOf(graph: Graph): Layer[] {
  const forward = new Map<string, KernelIndex[]>();
  const backward = new Map<string, KernelIndex>();
  graph.kernels.forEach(({ layer, pass }, k) => {
    const name = layer ?? `kernel ${k}`;
    if (pass === "forward") append(forward, name, k);
    else if (pass === "backward" && !backward.has(name)) backward.set(name, k);
  });
  return [...forward].map(([name, kernels]) => ({
    name,
    isConvolution: kernels.some((k) => isConvolution(graph.kernels[k]?.name ?? "")),
    forward: kernels,
    backwardStart: backward.get(name) ?? -1,
  }));
}
