/**
 * Does static allocation find offsets within the capacity, and how close do plans' arenas come to their peaks? MiniMalloc's 11
 * problems at their capacity, and the plans of the reference graphs; every answer is checked by the independent validator.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { readGraph } from "../src/graph/file.ts";
import { allocate, arenaOf } from "../src/plan/arena.ts";
import { buffersOf, validateOffsets } from "../src/plan/arena/buffers.ts";
import { parseBuffers } from "../src/plan/arena/csv.ts";
import { dryRun } from "../src/plan/ledger.ts";
import { findPolicy } from "../src/plan/policies/index.ts";
import { type Environment, environment, progress, publish, ROOT, runAsProgram, type Table } from "./harness.ts";
import { integer, readOptions } from "./options.ts";

const QUESTION =
  "Does static allocation find offsets within the capacity, and how close do plans' arenas come to their peaks?";

const OPTIONS = {
  data: { default: path.join(ROOT, "../shared/data"), help: "folder with minimalloc/*.CAPACITY.csv and graphs/" },
  problems: { default: "", help: "letters of MiniMalloc's problems; none: all" },
  nodes: { default: "1000000", help: "effort of each search" },
};

export interface ProblemRow {
  readonly name: string;
  readonly buffers: number;
  readonly capacityBytes: number;
  readonly peakBytes: number;
  readonly arenaBytes: number;
  readonly nodes: number;
  readonly ms: number;
  /** Processor time: on a shared machine the fairer figure. */
  readonly cpuMs: number;
}

export interface PlanRow {
  readonly graph: string;
  readonly policy: string;
  readonly buffers: number;
  readonly peakBytes: number;
  readonly arenaBytes: number;
  readonly ms: number;
  readonly cpuMs: number;
}

export interface ArenaResult {
  readonly schema: "vdnn-bench-arena/1";
  readonly question: string;
  readonly environment: Environment;
  readonly problems: readonly ProblemRow[];
  readonly plans: readonly PlanRow[];
}

export function arenaTables({ problems, plans }: ArenaResult): Table[] {
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  return [
    {
      caption: "MiniMalloc's problems at their capacity, measured; seconds of one run, and of processor time.",
      header: ["problem", "buffers", "peak / capacity", "arena / capacity", "solved", "nodes", "s", "cpu s"],
      rows: problems.map(({ name, buffers, capacityBytes, peakBytes, arenaBytes, nodes, ms, cpuMs }) => [
        name,
        `${buffers}`,
        (peakBytes / capacityBytes).toFixed(3),
        (arenaBytes / capacityBytes).toFixed(3),
        arenaBytes <= capacityBytes ? "yes" : "NO",
        `${nodes}`,
        seconds(ms),
        seconds(cpuMs),
      ]),
    },
    {
      caption: "Arena of a plan against its peak of live bytes, measured; no budget.",
      header: ["graph", "policy", "buffers", "arena / peak", "s", "cpu s"],
      rows: plans.map(({ graph, policy, buffers, peakBytes, arenaBytes, ms, cpuMs }) => [
        graph,
        policy,
        `${buffers}`,
        (arenaBytes / peakBytes).toFixed(4),
        seconds(ms),
        seconds(cpuMs),
      ]),
    },
  ];
}

function timed<T>(action: () => T): { readonly value: T; readonly ms: number; readonly cpuMs: number } {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const value = action();
  const { user, system } = process.cpuUsage(cpu);
  return { value, ms: performance.now() - start, cpuMs: (user + system) / 1000 };
}

function solveProblem(file: string, maxNodes: number): ProblemRow {
  const name = path.basename(file);
  const { buffers } = parseBuffers(readFileSync(file, "utf8"), name);
  const capacityBytes = Number(name.split(".")[1]);
  const { value, ms, cpuMs } = timed(() => allocate(buffers, { goalBytes: capacityBytes, maxNodes }));
  const { offsets, arenaBytes, peakBytes, nodes } = value;
  validateOffsets(buffers, offsets, Math.max(arenaBytes, capacityBytes));
  return { name, buffers: offsets.length, capacityBytes, peakBytes, arenaBytes, nodes, ms, cpuMs };
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const nodes = integer(options.nodes, "nodes");
  const folder = (name: string): string[] => {
    const where = path.join(options.data, name);
    return existsSync(where) ? readdirSync(where).map((file) => path.join(where, file)) : [];
  };
  const problems: ProblemRow[] = [];
  for (const file of folder("minimalloc")) {
    if (!file.endsWith(".csv") || !path.basename(file).match(`^[${options.problems || "A-Z"}]`)) continue;
    progress(path.basename(file));
    problems.push(solveProblem(file, nodes));
  }
  const plans: PlanRow[] = [];
  for (const file of folder("graphs")) {
    const graph = await readGraph(file);
    const unlimited = Number.POSITIVE_INFINITY;
    const machine = {
      name: "unlimited",
      deviceBytes: unlimited,
      hostBytes: unlimited,
      offloadGBps: 16,
      prefetchGBps: 16,
    };
    for (const policy of ["liveness", "vdnn-all"]) {
      progress(`${graph.name}: ${policy}`);
      const { steps } = findPolicy(policy).decide(graph, machine);
      const { value, ms, cpuMs } = timed(() => arenaOf(graph, steps, { maxNodes: 5000 }));
      const { stays, arenaBytes } = value;
      const lives = stays.map(({ from, to, bytes }) => ({ lower: from, upper: to, bytes }));
      validateOffsets(
        buffersOf(lives),
        Float64Array.from(stays, ({ offset }) => offset),
        arenaBytes,
      );
      const peakBytes = dryRun(graph, steps).peakDeviceBytes;
      plans.push({ graph: graph.name, policy, buffers: stays.length, peakBytes, arenaBytes, ms, cpuMs });
    }
  }
  const result: ArenaResult = {
    schema: "vdnn-bench-arena/1",
    question: QUESTION,
    environment: environment(null),
    problems,
    plans,
  };
  publish(options.json, result, arenaTables(result));
});
