/**
 * vDNN_dyn (Rhu et al., MICRO 2016, III-C): the cheapest that fits, found by dry runs of the ledger in the paper's order of
 * trials: no offloading, then the inputs of convolutions, then every feature map. (The paper's further trials downgrade the
 * algorithm of single convolutions to save workspace; TF.js offers no choice of algorithm.)
 *
 * Two things differ from the paper. What waits for the update leaves last: weight gradients, which the paper keeps, then
 * optimizer state, which it does not have. And within the first trial
 * that fits, only as many tensors leave as the budget needs: those with the longest time between their uses, found by
 * bisection over that order.
 */
import type { Graph } from "../../graph/graph.ts";
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { PlanStep } from "../plan.ts";
import type { Policy } from "../policy.ts";
import { type Transfer, weave } from "../steps.ts";
import { forwardGaps, type Gap, gradientTransfers, scheduleTransfers, stateTransfers } from "../transfers.ts";
import { convolutionGaps } from "./vdnn-conv.ts";

export const vdnnDyn: Policy = {
  name: "vdnn-dyn",
  summary: "the cheapest of none, conv and all that fits, by dry runs; offloads no more than the budget needs",
  passthrough: false,
  mayOffload: true,
  firstIteration: "keep",
  decide(graph, machine) {
    const fits = (steps: readonly PlanStep[]): boolean => fitsDryRun(dryRun(graph, steps), machine);
    const trials: readonly { readonly name: string; readonly gaps: Gap[]; readonly others: Transfer[] }[] = [
      { name: "liveness", gaps: [], others: [] },
      { name: "vdnn-conv", gaps: convolutionGaps(graph), others: [] },
      { name: "vdnn-all", gaps: forwardGaps(graph), others: [] },
      { name: "vdnn-all + gradients", gaps: forwardGaps(graph), others: gradientTransfers(graph) },
      {
        name: "vdnn-all + gradients + state",
        gaps: forwardGaps(graph),
        others: [...gradientTransfers(graph), ...stateTransfers(graph)],
      },
    ];
    let steps: PlanStep[] = [];
    for (const { name, gaps, others } of trials) {
      steps = weave(graph, [...scheduleTransfers(graph, gaps), ...others]);
      if (fits(steps))
        return { steps: fewest(graph, gaps, others, fits) ?? steps, chosen: `vdnn-dyn: ${name}`, fits: true };
    }
    return { steps, chosen: "vdnn-dyn: vdnn-all + gradients + state", fits: false };
  },
};

/** The smallest prefix of the gaps, longest reuse distance first, that still fits. */
function fewest(
  graph: Graph,
  gaps: readonly Gap[],
  others: readonly Transfer[],
  fits: (steps: readonly PlanStep[]) => boolean,
): PlanStep[] | undefined {
  const byDistance = gaps.toSorted((a, b) => b.neededBy - b.lastForwardUse - (a.neededBy - a.lastForwardUse));
  let best: PlanStep[] | undefined;
  let low = 0;
  let high = byDistance.length;
  while (low < high) {
    const count = (low + high) >> 1;
    const steps = weave(graph, [...scheduleTransfers(graph, byDistance.slice(0, count)), ...others]);
    if (fits(steps)) {
      best = steps;
      high = count;
    } else {
      low = count + 1;
    }
  }
  return best;
}
