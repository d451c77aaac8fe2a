/** vDNN_all (Rhu et al., MICRO 2016, III-C): every feature map that backpropagation needs leaves after its last forward use. */
import { dryRun } from "../ledger.ts";
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { forwardGaps, scheduleTransfers, stateTransfers } from "../transfers.ts";

export const vdnnAll: Policy = {
  name: "vdnn-all",
  summary: "offload every feature map, and optimizer state between updates",
  passthrough: false,
  mayOffload: true,
  firstIteration: "offload",
  decide(graph, machine) {
    const transfers = [...scheduleTransfers(graph, forwardGaps(graph)), ...stateTransfers(graph)];
    const steps = weave(graph, transfers);
    return { steps, chosen: "vdnn-all", fits: dryRun(graph, steps).peakDeviceBytes <= machine.deviceBytes };
  },
};
