/** What the independent validator has against a plan, as text: a benchmark reports it and goes on. */
import type { Graph } from "../src/graph/graph.ts";
import type { PlanStep } from "../src/plan/plan.ts";
import type { Machine } from "../src/plan/policy.ts";
import { validate } from "../src/plan/validate.ts";

/** Null when the plan is valid. */
export function faultOf(graph: Graph, steps: readonly PlanStep[], machine: Machine): string | null {
  try {
    validate(graph, steps, machine);
    return null;
  } catch (error) {
    return `invalid: ${error instanceof Error ? error.message : String(error)}`;
  }
}
