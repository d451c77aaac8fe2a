/** The policy `auto` from its parts: what plans for blocking copies is large, and not everyone who plans needs it. */
import { decide, type Settings } from "../auto/decide.ts";
import type { Policy } from "../policy.ts";

export function autoFrom(settings: Settings): Policy {
  return {
    name: "auto",
    summary: "the fastest plan that fits: offloads, prefetches and recomputes, chosen together",
    passthrough: false,
    mayOffload: true,
    firstIteration: "keep",
    decide: (graph, machine, effort) => decide(graph, machine, settings, effort),
  };
}
