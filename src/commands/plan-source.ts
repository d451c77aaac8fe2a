/** What `vdnn plan` plans: an iteration, read from a file or modelled from a network, and the machine to plan it for. */
import { readGraph } from "../graph/file.ts";
import type { Graph } from "../graph/graph.ts";
import { autoPolicy } from "../plan/policies/auto.ts";
import type { Machine } from "../plan/policy.ts";
import { timeline } from "../plan/timeline.ts";
import { DEFAULT_WORKSPACE_LIMIT_BYTES } from "../simulator/convolution.ts";
import { timed } from "../simulator/kernel-times.ts";
import { type SimulatedMachine, simulatedMachine } from "../simulator/machines.ts";
import { networkGraph, networkNamed } from "../simulator/networks.ts";
import { roomForWorkspace } from "../simulator/room.ts";
import type { WorkGraph } from "../simulator/work.ts";
import type { PlanFlags } from "./plan-options.ts";

export interface PlanSource {
  readonly graph: Graph;
  readonly machine: Machine;
  /** Where kernel times come from, for people. */
  readonly about: string;
}

const DEFAULT_GPU = "titan-x";
const DEFAULT_BATCH = 64;
/** Shares of the room that the budget leaves to a kernel's workspace; the last fits wherever anything does. */
const ROOM_SHARES = [1, 0.5, 0.25, 0];
/** A gain in step time below this share does not end a choice. */
const WORTHWHILE_GAIN = 0.005;

/** @throws VdnnError `ERR_INVALID_OPTION` for unknown names, `ERR_INVALID_GRAPH` for a file that is no graph */
export async function planSource(flags: PlanFlags): Promise<PlanSource> {
  // Names and numbers are checked before TensorFlow.js is loaded.
  const gpu = simulatedMachine({
    gpu: flags.gpu ?? DEFAULT_GPU,
    deviceBytes: flags.deviceMemory,
    hostBytes: flags.hostMemory,
  });
  const machine = machineOf(flags, gpu);
  if (flags.graph !== undefined) {
    return { graph: await readGraph(flags.graph), machine, about: `kernel times as in ${flags.graph}` };
  }
  const { network = "", batch = DEFAULT_BATCH, optimizer } = flags;
  networkNamed(network);
  const tf = await import("@tensorflow/tfjs");
  const { depth, width, imageSize, sequenceLength, vocabulary, classes } = flags;
  const sizes = { depth, width, imageSize, sequenceLength, vocabulary, classes };
  const work = networkGraph(tf, { network, batch, optimizer, sizes });
  return {
    graph: { ...timedFor(work, gpu, machine), name: `${network}, batch ${batch}` },
    machine,
    about: `kernel times modelled for ${gpu.gpu.title} (vdnn simulate says how), convolutions with the workspace that the budget leaves`,
  };
}

function machineOf(flags: PlanFlags, gpu: SimulatedMachine): Machine {
  const gigabytesPerSecond = (link: string | number | undefined): number =>
    typeof link === "number" ? link : simulatedMachine({ gpu: gpu.gpu.name, link }).link.GBps;
  const out = gigabytesPerSecond(flags.linkOut ?? flags.link);
  const into = gigabytesPerSecond(flags.linkIn ?? flags.link);
  const isOfGpu = flags.network !== undefined || flags.gpu !== undefined;
  const { spill } = flags;
  return {
    name: isOfGpu ? gpu.gpu.title : "given by flags",
    deviceBytes: isOfGpu ? gpu.deviceBytes : (flags.deviceMemory ?? Number.POSITIVE_INFINITY),
    hostBytes: gpu.hostBytes,
    // One direction alone moves nothing that is ever needed again.
    offloadGBps: into > 0 ? out : 0,
    prefetchGBps: out > 0 ? into : 0,
    ...(spill === undefined
      ? {}
      : { spillBytes: spill.bytes, spillWriteGBps: spill.writeGBps, spillReadGBps: spill.readGBps }),
  };
}

/** Every convolution by its fastest algorithm, with as much workspace as pays off under the budget. */
function timedFor(work: WorkGraph, gpu: SimulatedMachine, machine: Machine): Graph {
  const policy = autoPolicy({ moves: 0 });
  const stepMs = (graph: Graph): number => {
    const { steps, fits } = policy.decide(graph, machine);
    return fits ? timeline(graph, machine, steps).stepMs : Number.POSITIVE_INFINITY;
  };
  const limits = ROOM_SHARES.map((share) => {
    const room = roomForWorkspace(work, machine.deviceBytes);
    return (k: number): number => Math.min(DEFAULT_WORKSPACE_LIMIT_BYTES, share * (room[k] ?? 0));
  });
  let best = timed(work, gpu, { algorithms: () => "p" });
  const oracleMs = best.kernels.reduce((sum, { ms }) => sum + ms, 0);
  let bestMs = stepMs(best);
  for (const workspaceLimitBytes of limits) {
    if (bestMs <= oracleMs * (1 + WORTHWHILE_GAIN)) break;
    const next = timed(work, gpu, { algorithms: () => "p", workspaceLimitBytes });
    const ms = stepMs(next);
    // Where nothing fits, the last one needs least.
    if (ms < bestMs * (1 - WORTHWHILE_GAIN) || !Number.isFinite(bestMs)) [best, bestMs] = [next, ms];
  }
  return best;
}
