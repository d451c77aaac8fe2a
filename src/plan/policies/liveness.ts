/** Frees every tensor after its last use and saves only what backpropagation reads. Moves nothing, recomputes nothing. */
import type { Policy } from "../policy.ts";
import { weave } from "../steps.ts";
import { oneWay } from "./one-way.ts";

export const liveness: Policy = oneWay(
  { name: "liveness", summary: "free eagerly and save lean; nothing moves", mayOffload: false, firstIteration: "keep" },
  (graph) => weave(graph, []),
);
