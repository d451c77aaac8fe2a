/** Offloads, prefetches and recomputation, chosen together (auto/decide.ts). */
import { planBlocking } from "../auto/joint-blocking.ts";
import type { AutoOptions } from "../auto/decide.ts";
import type { Policy } from "../policy.ts";
import { autoFrom } from "./auto-from.ts";

export type { AutoOptions } from "../auto/decide.ts";

export function autoPolicy(options: AutoOptions = {}): Policy {
  return autoFrom({ ...options, planBlocking });
}

export const auto: Policy = autoPolicy();
