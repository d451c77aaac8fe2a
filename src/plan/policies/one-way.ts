/** A policy that has one way to run a graph, whatever the machine: it fits or it does not. */
import type { Graph } from "../../graph/graph.ts";
import { dryRun, fitsDryRun } from "../ledger.ts";
import type { PlanStep } from "../plan.ts";
import type { Policy } from "../policy.ts";

type Traits = Pick<Policy, "name" | "summary" | "mayOffload" | "firstIteration">;

export function oneWay(traits: Traits, stepsOf: (graph: Graph) => PlanStep[]): Policy {
  return {
    ...traits,
    passthrough: false,
    decide(graph, machine) {
      const steps = stepsOf(graph);
      return { steps, chosen: traits.name, fits: fitsDryRun(dryRun(graph, steps), machine) };
    },
  };
}
