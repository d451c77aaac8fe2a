/**
 * How much time does training in half the memory take without any transfers? The logs of DTR (Kirisame et al., ICLR 2021) planned by `auto`
 * on a machine without a link, at several shares of the peak, beside what DTR publishes and beside DTR's own heuristic run over the
 * same graph (src/simulator/baselines/dtr.ts), so that accountings are compared too. Simulated; only the planning time is measured.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { type GraphFile, readGraph } from "../src/graph/file.ts";
import { dryRun } from "../src/plan/ledger.ts";
import { makePlan } from "../src/plan/make.ts";
import { auto } from "../src/plan/policies/auto.ts";
import { findPolicy } from "../src/plan/policies/index.ts";
import type { Machine } from "../src/plan/policy.ts";
import { simulateDtr } from "../src/simulator/baselines/dtr.ts";
import {
  DTR_NETWORKS,
  type DtrNetwork,
  type DtrPoint,
  type DtrResult,
  dtrTables,
  type DtrSeries,
} from "./dtr-result.ts";
import { environment, progress, publish, ROOT, runAsProgram } from "./harness.ts";
import { readOptions, UsageError } from "./options.ts";
import { faultOf } from "./plan-fault.ts";

const QUESTION = "How much time does training in half the memory take without any transfers?";

const OPTIONS = {
  graphs: { default: "../shared/data/graphs", help: "folder of the logs as graphs" },
  networks: { default: DTR_NETWORKS.map(({ name }) => name).join(","), help: "networks" },
  shares: { default: "0.3,0.4,0.5,0.6,0.7,0.8,0.9", help: "budgets, as shares of the peak" },
};

/** Peaks closer than this are one. */
const SAME_PEAK = 0.01;

function machineOf(deviceBytes: number): Machine {
  return { name: "no link", deviceBytes, hostBytes: 0, offloadGBps: 0, prefetchGBps: 0 };
}

function runPoint(graph: GraphFile, share: number, peakBytes: number): DtrPoint {
  const budgetBytes = Math.floor(share * peakBytes);
  const machine = machineOf(budgetBytes);
  const start = performance.now();
  const { plan, fits } = makePlan(graph, machine, auto);
  const planningMs = performance.now() - start;
  const fault = fits ? faultOf(graph, plan.steps, machine) : "no plan";
  const { stepMs, lowerBoundMs, oracleMs } = plan.predicted;
  const dtr = simulateDtr(graph, { budgetBytes });
  return {
    share,
    budgetBytes,
    auto: fault === null ? stepMs / oracleMs : null,
    fault,
    bound: lowerBoundMs / oracleMs,
    planningMs,
    dtr: dtr.stepMs === null ? null : dtr.stepMs / oracleMs,
    dtrFailure: dtr.failure,
    dtrEvictions: dtr.evictions,
  };
}

function runNetwork(network: DtrNetwork, graph: GraphFile, shares: readonly number[]): DtrSeries[] {
  const logPeak = Number(graph.stats?.["peakBytes"]);
  const { steps } = findPolicy("liveness").decide(graph, machineOf(Infinity));
  const graphPeak = dryRun(graph, steps).peakDeviceBytes;
  const peaks = [{ of: "log", bytes: logPeak } as const, { of: "graph", bytes: graphPeak } as const];
  const kept = Math.abs(logPeak - graphPeak) <= SAME_PEAK * logPeak ? peaks.slice(0, 1) : peaks;
  return kept.map(({ of, bytes }) => ({
    network: network.name,
    kernels: graph.kernels.length,
    peakOf: of,
    peakBytes: bytes,
    publishedAtHalf: of === "log" ? network.publishedAtHalf : null,
    points: shares.map((share) => {
      progress(`${network.name}: ${share} of the ${of}'s peak`);
      return runPoint(graph, share, bytes);
    }),
  }));
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const folder = path.resolve(ROOT, options.graphs);
  if (!existsSync(folder)) throw new UsageError(`--graphs: ${folder} is not there`);
  const shares = options.shares.split(",").map(Number);
  if (shares.some((share) => !(share > 0)))
    throw new UsageError(`--shares: expected numbers above 0, got "${options.shares}"`);
  const asked = options.networks.split(",");
  const series: DtrSeries[] = [];
  for (const network of DTR_NETWORKS.filter(({ name }) => asked.includes(name))) {
    series.push(...runNetwork(network, await readGraph(path.join(folder, network.file)), shares));
  }
  const result: DtrResult = { schema: "vdnn-bench-dtr/1", question: QUESTION, environment: environment(null), series };
  publish(options.json, result, dtrTables(result));
});
