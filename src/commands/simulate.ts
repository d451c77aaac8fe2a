/**
 * `vdnn simulate`: one training iteration of a network on a GPU that need not be there, under every policy or one. Nothing is
 * trained and nothing measured; the caption below the table says what the numbers come from.
 */
import { VdnnError } from "../errors.ts";
import { writeReport } from "../report/file.ts";
import { writeJson } from "../report/json.ts";
import { toChromeTrace } from "../report/trace-events.ts";
import { DEFAULT_WORKSPACE_LIMIT_BYTES } from "../simulator/convolution.ts";
import { traceEvents } from "../simulator/events.ts";
import { EFFICIENCY, LAUNCH_MS, MEMORY_EFFICIENCY } from "../simulator/kernel-times.ts";
import { plannerMachine, simulatedMachine } from "../simulator/machines.ts";
import { networkGraph, networkNamed } from "../simulator/networks.ts";
import { type DetailedRun, doesNotFit } from "../simulator/row.ts";
import { requirePolicy, simulate, SIMULATED_POLICIES, type Simulation } from "../simulator/simulate.ts";
import { formatBytes } from "../units.ts";
import { outputFile, reportFile } from "./options.ts";
import type { SimulateFlags } from "./simulate-options.ts";
import { simulatePage } from "./simulate-page.ts";
import { renderSimulation, type SimulationFacts } from "./simulate-table.ts";

/** Simulates, prints, and returns the exit code: 3 where the one policy that was asked for does not fit. */
export async function simulateCommand(flags: SimulateFlags): Promise<number> {
  const { network, batch, optimizer, policy } = flags;
  // Names and numbers are checked before TensorFlow.js is loaded.
  const machine = simulatedMachine({
    gpu: flags.gpu,
    link: flags.link,
    deviceBytes: flags.deviceMemory,
    hostBytes: flags.hostMemory,
    flopsPerSecond: flags.flops,
  });
  networkNamed(network);
  if (policy !== undefined) requirePolicy(policy);
  const files = outputFiles(flags);
  const report = reportFile(flags);

  const tf = await import("@tensorflow/tfjs");
  const { depth, width, imageSize, sequenceLength, vocabulary, classes } = flags;
  const sizes = { depth, width, imageSize, sequenceLength, vocabulary, classes };
  const work = networkGraph(tf, { network, batch, optimizer, sizes });
  const simulation = simulate({
    work,
    machine,
    policies: policy === undefined ? SIMULATED_POLICIES : [policy],
    algorithm: flags.algorithm,
    workspaceLimitBytes: flags.workspaceLimit,
    synchronization: flags.synchronization,
  });
  const facts: SimulationFacts = {
    network,
    batch,
    optimizer,
    machine,
    work,
    simulation,
    workspaceLimitBytes: flags.workspaceLimit ?? DEFAULT_WORKSPACE_LIMIT_BYTES,
    synchronization: flags.synchronization,
  };
  const last = simulation.runs.at(-1);
  if (last !== undefined && files.trace !== undefined) writeJson(files.trace, traceOf(last, facts));
  if (last !== undefined && files.record !== undefined) writeJson(files.record, last.graph);
  if (report !== undefined) writeReport(report, { json: () => toJson(facts), page: () => simulatePage(facts) });
  process.stdout.write(flags.json === true ? toJson(facts) : renderSimulation(facts));
  if (policy === undefined || simulation.runs.some(({ result }) => result.fits) || last === undefined) return 0;
  throw doesNotFit(last.result, plannerMachine(machine), formatBytes);
}

function traceOf(run: DetailedRun, { network, batch, machine }: SimulationFacts): unknown {
  return toChromeTrace(
    traceEvents(run),
    `simulated: ${network}, batch ${batch}, ${run.result.policy} on ${machine.gpu.title}, ${machine.link.name}`,
  );
}

function outputFiles({ trace, record, policy }: SimulateFlags): { readonly trace?: string; readonly record?: string } {
  const files: Record<string, string> = {};
  for (const [flag, path] of Object.entries({ trace, record })) {
    if (path === undefined) continue;
    if (policy === undefined) {
      throw new VdnnError("ERR_INVALID_OPTION", `--${flag}: needs --policy, as it is of one policy`, { option: flag });
    }
    files[flag] = outputFile(path, `--${flag}`);
  }
  return files;
}

/** Infinity has no JSON; null is "no budget". */
function toJson(facts: SimulationFacts): string {
  const { network, batch, optimizer, machine, work, simulation, workspaceLimitBytes, synchronization } = facts;
  const { gpu, link, deviceBytes, hostBytes, flopsPerSecond, memoryBytesPerSecond } = machine;
  return `${JSON.stringify({
    schema: "vdnn-simulate/1",
    source: "simulated",
    network,
    batch,
    optimizer,
    kernels: work.kernels.length,
    layers: Object.keys(work.layers).length,
    machine: {
      gpu,
      link,
      deviceBytes,
      hostBytes: Number.isFinite(hostBytes) ? hostBytes : null,
      flopsPerSecond,
      memoryBytesPerSecond,
    },
    model: {
      efficiency: EFFICIENCY,
      memoryEfficiency: MEMORY_EFFICIENCY,
      launchMs: LAUNCH_MS,
      fittedTo: "soumith/convnet-benchmarks, GeForce Titan X: cuDNN R4 for p, cuDNN R2 for m",
      workspaceLimitBytes,
      synchronization,
    },
    oracleMs: simulation.oracleMs,
    networkWide: simulation.networkWide,
    runs: resultsOf(simulation),
  })}\n`;
}

function resultsOf({ runs }: Simulation): DetailedRun["result"][] {
  return runs.map(({ result }) => result);
}
