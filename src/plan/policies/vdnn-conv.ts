/**
 * vDNN_conv (Rhu et al., MICRO 2016, III-C): only the inputs of convolutions leave, because a convolution computes long enough
 * to hide the copy.
 */
import type { Graph } from "../../graph/graph.ts";
import { isConvolution } from "../../graph/layers.ts";
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { forwardGaps, type Gap, scheduleTransfers } from "../transfers.ts";

/** The gaps of tensors that a convolution reads in the forward pass. */
export function convolutionGaps(graph: Graph): Gap[] {
  const readByConvolution = new Set(
    graph.kernels.filter(({ name, pass }) => pass === "forward" && isConvolution(name)).flatMap(({ inputs }) => inputs),
  );
  return forwardGaps(graph).filter(({ tensor }) => readByConvolution.has(tensor));
}

export const vdnnConv: Policy = {
  name: "vdnn-conv",
  summary: "offload the inputs of convolutions only",
  passthrough: false,
  mayOffload: true,
  firstIteration: "keep",
  decide(graph, machine) {
    const steps = weave(graph, scheduleTransfers(graph, convolutionGaps(graph)));
    return { steps, chosen: "vdnn-conv", fits: fitsDryRun(dryRun(graph, steps), machine) };
  },
};
