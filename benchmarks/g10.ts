/**
 * How close to ideal do large networks train on a 40 GiB GPU? The traces of G10 (Zhang et al., MICRO 2023) planned by `auto` and timed by
 * the execution model, beside what G10 publishes for its own planner and for the policies that it compares itself with. So that
 * policies are compared and not simulators, those policies are simulated here too (src/simulator/baselines), and must come out as
 * published. Simulated throughout; only the planning time is measured.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { type GraphFile, readGraph } from "../src/graph/file.ts";
import type { Graph } from "../src/graph/graph.ts";
import { makePlan } from "../src/plan/make.ts";
import { autoPolicy } from "../src/plan/policies/auto.ts";
import type { Machine } from "../src/plan/policy.ts";
import { simulateFlashNeuron } from "../src/simulator/baselines/flashneuron.ts";
import { G10_SETTING } from "../src/simulator/baselines/setting.ts";
import { simulateUvm } from "../src/simulator/baselines/uvm.ts";
import { G10_NETWORKS, type G10Network, type G10Published } from "./g10-published.ts";
import {
  type G10Baseline,
  type G10Case,
  type G10Plan,
  type G10Result,
  g10Tables,
  type G10Tier,
  WAYS,
} from "./g10-result.ts";
import { environment, progress, publish, ROOT, runAsProgram } from "./harness.ts";
import { readOptions, UsageError } from "./options.ts";
import { faultOf } from "./plan-fault.ts";
import { scaledGraph } from "./scaled-graph.ts";

const QUESTION = "How close to ideal do large networks train on a 40 GiB GPU?";

const OPTIONS = {
  graphs: { default: "../shared/data/graphs", help: "folder of the traces" },
  networks: { default: G10_NETWORKS.map(({ name }) => name).join(","), help: "networks" },
  batches: { default: "", help: "batch sizes; none: the traced one and the two largest published ones" },
};

export function machineFor(tier: G10Tier): Machine {
  const { deviceBytes, hostBytes, linkGBps, ssdGBps } = G10_SETTING;
  const device = { deviceBytes, offloadGBps: linkGBps, prefetchGBps: linkGBps };
  if (tier === "host") return { ...device, name: "G10, host without end", hostBytes: Infinity };
  return { ...device, name: "G10", hostBytes, spillBytes: Infinity, spillWriteGBps: ssdGBps, spillReadGBps: ssdGBps };
}

function runCase(network: G10Network, trace: GraphFile, batch: number, published: G10Published): G10Case {
  const origin = batch === network.tracedBatch ? "traced" : "scaled";
  const { idealMs } = published;
  const name = `${network.name}-${batch}`;
  const graph: Graph =
    origin === "traced" ? trace : scaledGraph(trace, name, { batchRatio: batch / network.tracedBatch, idealMs });
  const isMain = batch === network.main.batch;
  progress(`${name} (${origin})`);
  return {
    network: network.name,
    batch,
    origin,
    isMain,
    kernels: graph.kernels.length,
    idealMs: graph.kernels.reduce((sum, { ms }) => sum + ms, 0),
    totalBytes: graph.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    publishedBytes: isMain ? (network.main.memoryPercent / 100) * G10_SETTING.deviceBytes : null,
    publishedG10Ms: published.g10Ms,
    plans: WAYS.map(({ tier, recompute }) => runPlan(graph, tier, recompute)),
    baselines: runBaselines(graph, published),
  };
}

function runPlan(graph: Graph, tier: G10Tier, recompute: boolean): G10Plan {
  const machine = machineFor(tier);
  const start = performance.now();
  const { plan, fits } = makePlan(graph, machine, autoPolicy({ recompute }));
  const planningMs = performance.now() - start;
  const { stepMs, lowerBoundMs, peakDeviceBytes, peakHostBytes, offloadBytes, recomputeMs } = plan.predicted;
  const numbers = { stepMs, lowerBoundMs, peakDeviceBytes, peakHostBytes, offloadBytes, recomputeMs, planningMs };
  return { tier, recompute, fault: fits ? faultOf(graph, plan.steps, machine) : "does not fit", ...numbers };
}

function runBaselines(graph: Graph, published: G10Published): G10Baseline[] {
  const uvmMs = (policy: "lru" | "deepUM"): number => simulateUvm(graph, G10_SETTING, policy).reported.stepMs;
  const flashNeuronMs = simulateFlashNeuron(graph, G10_SETTING)?.stepMs ?? null;
  return [
    { policy: "lru", simulatedMs: uvmMs("lru"), publishedMs: published.lruMs },
    { policy: "FlashNeuron", simulatedMs: flashNeuronMs, publishedMs: published.flashNeuronMs },
    { policy: "deepUM", simulatedMs: uvmMs("deepUM"), publishedMs: published.deepUmMs },
  ];
}

/** The traced batch, and of the published ones the two largest. */
function batchesOf({ tracedBatch, cells }: G10Network, asked: string): number[] {
  const known = Object.keys(cells).map(Number);
  const wanted = asked === "" ? [tracedBatch, ...known.slice(-2)] : asked.split(",").map(Number);
  return known.filter((batch) => wanted.includes(batch));
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const folder = path.resolve(ROOT, options.graphs);
  if (!existsSync(folder)) throw new UsageError(`--graphs: ${folder} is not there`);
  const asked = options.networks.split(",");
  const cases: G10Case[] = [];
  for (const network of G10_NETWORKS.filter(({ name }) => asked.includes(name))) {
    const trace = await readGraph(path.join(folder, network.file));
    for (const batch of batchesOf(network, options.batches)) {
      cases.push(runCase(network, trace, batch, network.cells[batch] as G10Published));
    }
  }
  const result: G10Result = {
    schema: "vdnn-bench-g10/1",
    question: QUESTION,
    environment: environment(null),
    cases,
  };
  publish(options.json, result, g10Tables(result));
});
