/**
 * vDNN_all (Rhu et al., MICRO 2016, III-C): every feature map that backpropagation needs leaves after its last forward use.
 * Beyond the paper, so does what waits for the update: weight gradients, and optimizer state.
 */
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { forwardGaps, gradientTransfers, scheduleTransfers, stateTransfers } from "../transfers.ts";

export const vdnnAll: Policy = {
  name: "vdnn-all",
  summary: "offload every feature map, and gradients and optimizer state until the update",
  passthrough: false,
  mayOffload: true,
  firstIteration: "offload",
  decide(graph, machine) {
    const transfers = [
      ...scheduleTransfers(graph, forwardGaps(graph)),
      ...gradientTransfers(graph),
      ...stateTransfers(graph),
    ];
    const steps = weave(graph, transfers);
    return { steps, chosen: "vdnn-all", fits: fitsDryRun(dryRun(graph, steps), machine) };
  },
};
