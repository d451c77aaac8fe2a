/**
 * Where an iteration needs most memory: the kernel, what is live there by role, the largest tensors by name, and what a plan has
 * made of each. Asked of the iteration as it is (every tensor kept until its last use), because a plan that uses its whole budget
 * peaks at the budget nearly everywhere.
 */
import type { Graph, KernelIndex, Pass, Role, TensorIndex } from "../../graph/graph.ts";
import { existsBefore, lifetimes } from "../../graph/lifetimes.ts";
import { lastPrefetches, placesAtStart } from "../copies.ts";
import { dryRun, smallestFeasibleBytes } from "../ledger.ts";
import type { PlanStep } from "../plan.ts";
import { weave } from "../steps.ts";

/** A kernel as people look for it. */
export interface KernelName {
  readonly kernel: KernelIndex;
  readonly name: string;
  readonly layer: string;
  readonly pass: Pass;
}

/** What a tensor is to the plan while the peak kernel runs. */
export type Fate = "used" | "kept" | "host" | "spill" | "dropped";

export interface LiveTensor {
  readonly tensor: TensorIndex;
  /** Its own, or made from the kernel that writes it. */
  readonly name: string;
  /** Of the kernel that writes it, or that reads it first. */
  readonly layer: string;
  readonly role: Role;
  readonly bytes: number;
  readonly fate: Fate;
}

export interface LiveRole {
  readonly role: Role;
  readonly bytes: number;
  readonly count: number;
}

export interface Peak {
  readonly at: KernelName;
  /** Needed as it is; workspace included. */
  readonly bytes: number;
  readonly workspaceBytes: number;
  /** What shrinks with the batch: maps, their gradients, inputs and workspace; not weights, their gradients and state. */
  readonly batchBytes: number;
  readonly roles: readonly LiveRole[];
  /** Bytes of what is live, by what the plan does with it there. */
  readonly fates: Readonly<Record<Fate, number>>;
  readonly largest: readonly LiveTensor[];
}

/** The hungriest kernel: what no plan gets below. */
export interface Floor {
  readonly at: KernelName;
  /** The sum of the next four. */
  readonly bytes: number;
  /** Weights, in use by this kernel or not. */
  readonly pinnedBytes: number;
  /** Of the kernel, weights aside. */
  readonly operandBytes: number;
  /** Outputs of the iteration, and what else may not move, there by then and not in use. */
  readonly otherBytes: number;
  readonly workspaceBytes: number;
  /** As of the peak. */
  readonly batchBytes: number;
  readonly operands: readonly Omit<LiveTensor, "fate">[];
}

const LARGEST = 8;

export function kernelName({ kernels }: Graph, k: KernelIndex): KernelName {
  const { name = "", layer = "", pass = "forward" } = kernels[k] ?? {};
  return { kernel: k, name, layer, pass };
}

/** Names for every tensor, from its own or from the kernel that first writes or reads it. */
export function tensorNames(graph: Graph): (t: TensorIndex) => { readonly name: string; readonly layer: string } {
  const lives = lifetimes(graph);
  return (t) => {
    const life = lives[t];
    const k = life === undefined ? -1 : life.definedBy >= 0 ? life.definedBy : (life.uses[0] ?? -1);
    const { name, layer } = kernelName(graph, k);
    const { name: own, role = "activation" } = graph.tensors[t] ?? {};
    // Without a layer, only the position tells one from another.
    const where = layer === "" ? `kernel ${k} ${name}` : layer === name ? name : `${layer} ${name}`;
    const made = `${where} ${life !== undefined && life.definedBy >= 0 ? "output" : role}`;
    return { name: own ?? (k < 0 ? `tensor ${t}` : made), layer };
  };
}

/** The dry run of the iteration as it is: nothing moves, nothing runs again. */
export function asItIs(graph: Graph): {
  readonly bytes: number;
  readonly kernel: KernelIndex;
  readonly live: readonly TensorIndex[];
} {
  const { peakDeviceBytes, peakKernel, liveAtPeak } = dryRun(graph, weave(graph, []));
  return { bytes: peakDeviceBytes, kernel: peakKernel, live: liveAtPeak };
}

/** @param steps the plan whose doing at the peak kernel is told */
export function peakOf(graph: Graph, steps: readonly PlanStep[]): Peak {
  const { bytes, kernel, live } = asItIs(graph);
  const names = tensorNames(graph);
  const placeOf = placesAt(graph, steps, kernel);
  const { inputs = [], outputs = [], workspaceBytes = 0 } = graph.kernels[kernel] ?? {};
  const used = new Set([...inputs, ...outputs]);
  const tensors = live.map((tensor): LiveTensor => {
    const { role = "activation", bytes: size = 0 } = graph.tensors[tensor] ?? {};
    return { tensor, ...names(tensor), role, bytes: size, fate: used.has(tensor) ? "used" : placeOf(tensor) };
  });
  const roles = new Map<Role, { role: Role; bytes: number; count: number }>();
  const fates = { used: 0, kept: 0, host: 0, spill: 0, dropped: 0 };
  for (const { role, bytes: size, fate } of tensors) {
    const sum = roles.get(role) ?? { role, bytes: 0, count: 0 };
    roles.set(role, { role, bytes: sum.bytes + size, count: sum.count + 1 });
    fates[fate] += size;
  }
  return {
    at: kernelName(graph, kernel),
    bytes,
    workspaceBytes,
    batchBytes: sumOf(graph, live.filter(batchOf(graph))) + workspaceBytes,
    roles: [...roles.values()].toSorted((a, b) => b.bytes - a.bytes),
    fates,
    largest: tensors.toSorted((a, b) => b.bytes - a.bytes || a.tensor - b.tensor).slice(0, LARGEST),
  };
}

/** @param movable what may leave the device between its uses although it was there before the iteration */
export function floorOf(graph: Graph, movable: (role: Role) => boolean = isMovable): Floor {
  const { bytes, kernel } = smallestFeasibleBytes(graph, (t) => movable(graph.tensors[t]?.role ?? "weight"));
  const { inputs = [], outputs = [], workspaceBytes = 0 } = graph.kernels[kernel] ?? {};
  const names = tensorNames(graph);
  const own = [...new Set([...inputs, ...outputs])].filter((t) => graph.tensors[t]?.role !== "weight");
  const pinnedBytes = graph.tensors.reduce((total, { role, bytes: size }) => total + (role === "weight" ? size : 0), 0);
  const operandBytes = sumOf(graph, own);
  return {
    at: kernelName(graph, kernel),
    bytes,
    pinnedBytes,
    operandBytes,
    otherBytes: bytes - pinnedBytes - operandBytes - workspaceBytes,
    workspaceBytes,
    batchBytes: sumOf(graph, own.filter(batchOf(graph))) + workspaceBytes,
    operands: own
      .map((tensor) => ({
        tensor,
        ...names(tensor),
        role: graph.tensors[tensor]?.role ?? "activation",
        bytes: graph.tensors[tensor]?.bytes ?? 0,
      }))
      .toSorted((a, b) => b.bytes - a.bytes || a.tensor - b.tensor)
      .slice(0, LARGEST),
  };
}

function isMovable(role: Role): boolean {
  return role === "state" || role === "input";
}

function sumOf({ tensors }: Graph, which: readonly TensorIndex[]): number {
  return which.reduce((total, t) => total + (tensors[t]?.bytes ?? 0), 0);
}

/** Gradients that an update reads are as large as their weight, whatever the batch is. */
function batchOf({ tensors, kernels }: Graph): (t: TensorIndex) => boolean {
  const updates = kernels.filter(({ pass }) => pass === "update").flatMap(({ inputs }) => inputs);
  const ofWeights = new Set(updates.filter((t) => tensors[t]?.role === "gradient" || tensors[t]?.role === "output"));
  return (t) => {
    const role = tensors[t]?.role;
    return role !== "weight" && role !== "state" && !ofWeights.has(t);
  };
}

/** Where the plan has each tensor while a kernel runs for the first time. */
function placesAt(
  graph: Graph,
  steps: readonly PlanStep[],
  kernel: KernelIndex,
): (t: TensorIndex) => Exclude<Fate, "used"> {
  const away = placesAtStart(graph, steps);
  const isLast = lastPrefetches(graph, steps);
  const device = new Set<TensorIndex>();
  const host = new Set<TensorIndex>();
  const spill = new Set<TensorIndex>();
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role)) (away.has(t) ? (away.get(t) === "spill" ? spill : host) : device).add(t);
  });
  for (const [i, step] of steps.entries()) {
    if (step.kind === "compute" || step.kind === "recompute") {
      for (const t of graph.kernels[step.kernel]?.outputs ?? []) {
        device.add(t);
        host.delete(t);
        spill.delete(t);
      }
      if (step.kind === "compute" && step.kernel === kernel) break;
    } else if (step.kind === "free") {
      device.delete(step.tensor);
    } else if (step.kind === "offload") {
      (step.tier === "spill" ? spill : host).add(step.tensor);
      if (step.tier === "spill") host.delete(step.tensor);
      if (step.keep !== true) device.delete(step.tensor);
    } else if (step.tier === "host") {
      host.add(step.tensor);
    } else {
      device.add(step.tensor);
      if (isLast[i] === 1) {
        host.delete(step.tensor);
        spill.delete(step.tensor);
      }
    }
  }
  return (t) => (device.has(t) ? "kept" : host.has(t) ? "host" : spill.has(t) ? "spill" : "dropped");
}
