/** Frees every tensor after its last use and saves only what backpropagation reads. Moves nothing, recomputes nothing. */
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";

export const liveness: Policy = {
  name: "liveness",
  summary: "free eagerly and save lean; nothing moves",
  passthrough: false,
  mayOffload: false,
  firstIteration: "keep",
  decide(graph, machine) {
    const steps = weave(graph, []);
    return { steps, chosen: "liveness", fits: fitsDryRun(dryRun(graph, steps), machine) };
  },
};
