/**
 * vDNN_conv (Rhu et al., MICRO 2016, III-C): only the inputs of convolutions leave, because a convolution computes long enough
 * to hide the copy.
 */
import type { Graph } from "../../graph/graph.ts";
import { isConvolution } from "../../graph/layers.ts";
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { forwardGaps, type Gap, scheduleTransfers } from "../transfers.ts";
import { oneWay } from "./one-way.ts";

/** The gaps of tensors that a convolution reads in the forward pass. */
export function convolutionGaps(graph: Graph): Gap[] {
  const readByConvolution = new Set(
    graph.kernels.filter(({ name, pass }) => pass === "forward" && isConvolution(name)).flatMap(({ inputs }) => inputs),
  );
  return forwardGaps(graph).filter(({ tensor }) => readByConvolution.has(tensor));
}

export const vdnnConv: Policy = oneWay(
  { name: "vdnn-conv", summary: "offload the inputs of convolutions only", mayOffload: true, firstIteration: "keep" },
  (graph) => weave(graph, scheduleTransfers(graph, convolutionGaps(graph))),
);
