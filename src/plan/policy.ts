/**
 * A policy decides for every tensor of a graph whether it stays, leaves or is recomputed. Policies are pure: no clock, no I/O,
 * no logger. Each is a file in `policies/` behind this interface.
 */
import type { Graph } from "../graph/graph.ts";
import type { PlanStep } from "./plan.ts";

/** What a plan is made for. Times follow from it; the runtime puts measured bandwidths in, the simulator a preset. */
export interface Machine {
  readonly name: string;
  /** Bytes that the graph's tensors may take on the device; Infinity without a budget. */
  readonly deviceBytes: number;
  /** Bytes on the host tier alone; Infinity without a budget. 0 forbids offloading. */
  readonly hostBytes: number;
  /** Bytes on the spill tier behind the host; 0 without one. Default 0. */
  readonly spillBytes?: number;
  /** Device to host, GB/s (1e9 bytes per second). 0 forbids transfers. */
  readonly offloadGBps: number;
  /** Host to device, GB/s. */
  readonly prefetchGBps: number;
  /** The thread that computes makes the copies between device and host itself, so nothing runs beside them. Default false. */
  readonly copiesBlock?: boolean;
  /** Host to spill, GB/s; 0 without a spill tier. Default 0. */
  readonly spillWriteGBps?: number;
  /** Spill to host, GB/s. Default 0. */
  readonly spillReadGBps?: number;
}

/** Data can leave the device and come back. */
export function canMove({ hostBytes, offloadGBps, prefetchGBps }: Machine): boolean {
  return hostBytes > 0 && offloadGBps > 0 && prefetchGBps > 0;
}

export interface PolicyDecision {
  readonly steps: readonly PlanStep[];
  /** The policy's own name, with the choice it made where there was one: `vdnn-dyn: vdnn-conv`. */
  readonly chosen: string;
  /** False when the steps exceed the budget: the best this policy can do, to be completed by demand. */
  readonly fits: boolean;
  /** No schedule that the policy may choose is faster, ms; where the policy has found out. */
  readonly lowerBoundMs?: number;
}

/** `draft`: the first plan that fits, for times that are not to be trusted yet. */
export type Effort = "draft" | "full";

export interface Policy {
  readonly name: string;
  /** One line for `--help` and reports. */
  readonly summary: string;
  /** Stock TF.js runs, metered only: nothing is freed early, nothing moves. */
  readonly passthrough: boolean;
  /** May anything leave the device under this policy, also on demand? */
  readonly mayOffload: boolean;
  /** How the first iteration runs, before there is a plan: move what was not touched lately, or only what the budget forces out. */
  readonly firstIteration: "offload" | "keep";
  /** @param effort default `full` */
  decide(graph: Graph, machine: Machine, effort?: Effort): PolicyDecision;
}
