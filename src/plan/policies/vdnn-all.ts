/**
 * vDNN_all (Rhu et al., MICRO 2016, III-C): every feature map that backpropagation needs leaves after its last forward use.
 * Beyond the paper, so does what waits for the update: weight gradients, and optimizer state.
 */
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { forwardGaps, gradientTransfers, scheduleTransfers, stateTransfers } from "../transfers.ts";
import { oneWay } from "./one-way.ts";

export const vdnnAll: Policy = oneWay(
  {
    name: "vdnn-all",
    summary: "offload every feature map, and gradients and optimizer state until the update",
    mayOffload: true,
    firstIteration: "offload",
  },
  (graph) =>
    weave(graph, [
      ...scheduleTransfers(graph, forwardGaps(graph)),
      ...gradientTransfers(graph),
      ...stateTransfers(graph),
    ]),
);
