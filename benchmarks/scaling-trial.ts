/** One plan in a process of its own, for scaling.ts: its resident set is the process's. The answer is the last line, as JSON. */
import * as os from "node:os";
import { dryRun, smallestFeasibleBytes } from "../src/plan/ledger.ts";
import { makePlan } from "../src/plan/make.ts";
import { auto } from "../src/plan/policies/auto.ts";
import { liveness } from "../src/plan/policies/liveness.ts";
import type { Machine } from "../src/plan/policy.ts";
import { randomOf } from "../src/plan/auto/random.ts";
import { deepGraph } from "./deep-graph.ts";
import { faultOf } from "./plan-fault.ts";
import { MOST_VALIDATED, type ScalingTrial } from "./scaling.ts";

const [kernels = Number.NaN, share = Number.NaN, gbps = Number.NaN] = process.argv.slice(2).map(Number);
if (Number.isNaN(gbps)) throw new Error("scaling-trial.ts is started by scaling.ts: kernels, share, GB/s");

const graph = deepGraph(kernels, randomOf(1));
const free: Machine = {
  name: "free",
  deviceBytes: Infinity,
  hostBytes: Infinity,
  offloadGBps: gbps,
  prefetchGBps: gbps,
};
const peakBytes = dryRun(graph, liveness.decide(graph, free).steps).peakDeviceBytes;
const leastBytes = smallestFeasibleBytes(graph, (t) => graph.tensors[t]?.role === "input").bytes;
const machine: Machine = { ...free, deviceBytes: Math.max(leastBytes, Math.floor(share * peakBytes)) };
const before = process.memoryUsage().rss;
const [start, cpu] = [performance.now(), process.cpuUsage()];
const { plan, fits } = makePlan(graph, machine, auto);
const planningMs = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
// In kB, on Linux.
const highest = process.resourceUsage().maxRSS * 1024;
const fault = !fits ? "does not fit" : kernels <= MOST_VALIDATED ? faultOf(graph, plan.steps, machine) : null;
const { stepMs, oracleMs, lowerBoundMs, recomputeMs, offloadBytes } = plan.predicted;
const trial: ScalingTrial = {
  kernels: graph.kernels.length,
  share,
  gbps,
  planningMs,
  cpuMs: (user + system) / 1000,
  rssBeforeBytes: before,
  rssHighestBytes: highest,
  fault,
  steps: plan.steps.length,
  step: stepMs / oracleMs,
  bound: lowerBoundMs / oracleMs,
  recompute: recomputeMs / oracleMs,
  offloadBytes,
  load: os.loadavg()[0] ?? 0,
};
process.stdout.write(`${JSON.stringify(trial)}\n`);
