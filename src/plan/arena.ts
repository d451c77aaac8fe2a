/**
 * Where in one block of device memory every tensor of a plan lies: static offsets for buffers whose lifetimes are known. Fast
 * placement first, exact search where that leaves something to win; the kernels' own allocator is not needed then, and cannot
 * fragment.
 */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { type Buffers, buffersOf, peakBytes } from "./arena/buffers.ts";
import { fit } from "./arena/fit.ts";
import { MAX_SEARCHED_BUFFERS, searchOffsets } from "./arena/search.ts";
import { awayAtStart } from "./copies.ts";
import type { PlanStep } from "./plan.ts";

export interface Allocation {
  /** For each buffer. */
  readonly offsets: Float64Array;
  readonly arenaBytes: number;
  /** Most bytes that live at once: no arena is smaller. */
  readonly peakBytes: number;
  /** Effort: nodes of the search, 0 where fast placement was enough. */
  readonly nodes: number;
}

export interface AllocateOptions {
  /** Stop at an arena of this size. Default: the peak, which is the least possible. */
  readonly goalBytes?: number;
  /** Effort of the exact search. Default 100,000 nodes. */
  readonly maxNodes?: number;
  /** Effort of fast placement, in single placements. Default 200,000, and at least once in each order. */
  readonly maxPlacements?: number;
}

/** Always finds offsets; whether they meet the goal is for the caller to see. */
export function allocate(buffers: Buffers, options: AllocateOptions = {}): Allocation {
  const peak = peakBytes(buffers);
  const goal = Math.max(options.goalBytes ?? peak, peak);
  const { maxNodes = 100_000, maxPlacements = 200_000 } = options;
  const whole = fromBottom(buffers);
  const rest = select(buffers, whole.rest);
  const placed = fit(rest, goal - whole.bytes, maxPlacements);
  const offsets = new Float64Array(buffers.bytes.length);
  whole.offsets.forEach(([b, offset]) => (offsets[b] = offset));
  let [nodes, found, bytes] = [0, placed.offsets, placed.bytes];
  // Between the goal and what fast placement reached, from the bottom: most often the goal itself is feasible.
  for (const part of [0, 0.25, 0.5]) {
    const capacity = Math.floor(goal - whole.bytes + part * (bytes - goal + whole.bytes));
    if (bytes <= capacity || whole.rest.length > MAX_SEARCHED_BUFFERS || maxNodes <= 0) break;
    const search = searchOffsets(rest, capacity, maxNodes);
    nodes += search.nodes;
    if (search.offsets === undefined) continue;
    [found, bytes] = [search.offsets, capacity];
    break;
  }
  let top = 0;
  whole.rest.forEach((b, i) => {
    offsets[b] = whole.bytes + (found[i] ?? 0);
    top = Math.max(top, (found[i] ?? 0) + (buffers.bytes[b] ?? 0));
  });
  return { offsets, arenaBytes: whole.bytes + top, peakBytes: peak, nodes };
}

/** What lives all the time (weights) lies at the bottom, in nobody's way. */
function fromBottom({ lower, upper, bytes }: Buffers): {
  readonly bytes: number;
  readonly offsets: readonly (readonly [buffer: number, offset: number])[];
  readonly rest: Int32Array;
} {
  let [start, end] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const each of lower) start = Math.min(start, each);
  for (const each of upper) end = Math.max(end, each);
  const offsets: [number, number][] = [];
  const rest: number[] = [];
  let top = 0;
  for (const b of bytes.keys()) {
    if (lower[b] === start && upper[b] === end) {
      offsets.push([b, top]);
      top += bytes[b] ?? 0;
    } else rest.push(b);
  }
  return { bytes: top, offsets, rest: Int32Array.from(rest) };
}

function select({ lower, upper, bytes }: Buffers, chosen: Int32Array): Buffers {
  const pick = (values: Float64Array): Float64Array => Float64Array.from(chosen, (b) => values[b] ?? 0);
  return { lower: pick(lower), upper: pick(upper), bytes: pick(bytes) };
}

/** One stretch of a tensor on the device, or a kernel's workspace. */
export interface Stay {
  /** -1 for workspace. */
  readonly tensor: TensorIndex;
  /** Position in the steps of the one that allocates it; -1 for what is there before. */
  readonly from: number;
  /** Position of the step that releases it; the number of steps for what is never released. */
  readonly to: number;
  readonly bytes: number;
  readonly offset: number;
}

export interface Arena {
  readonly stays: readonly Stay[];
  readonly arenaBytes: number;
  readonly peakBytes: number;
}

/** What a plan's arena may be larger than its peak without anybody searching for less. */
const GOOD_ENOUGH = 1.005;

/**
 * Offsets for a plan. Lifetimes are positions in the list, as in the dry run: a copy in or out belongs to the stay. Who runs
 * the plan lets a new stay wait for the copies out of what lay there before.
 */
export function arenaOf(graph: Graph, steps: readonly PlanStep[], options: AllocateOptions = {}): Arena {
  const stays = staysOf(graph, steps);
  const buffers = buffersOf(stays.map(({ from, to, bytes }) => ({ lower: from, upper: to, bytes })));
  const goalBytes = Math.ceil(GOOD_ENOUGH * peakBytes(buffers));
  const { offsets, arenaBytes, peakBytes: peak } = allocate(buffers, { goalBytes, ...options });
  return { stays: stays.map((stay, i) => ({ ...stay, offset: offsets[i] ?? 0 })), arenaBytes, peakBytes: peak };
}

/** Stays of at least one byte, in order of their start. */
function staysOf(graph: Graph, steps: readonly PlanStep[]): Omit<Stay, "offset">[] {
  const stays: { tensor: TensorIndex; from: number; to: number; bytes: number }[] = [];
  const open = new Map<TensorIndex, { to: number }>();
  const enter = (tensor: TensorIndex, from: number): void => {
    if (open.has(tensor)) return;
    const stay = { tensor, from, to: steps.length, bytes: graph.tensors[tensor]?.bytes ?? 0 };
    open.set(tensor, stay);
    if (stay.bytes > 0) stays.push(stay);
  };
  const leave = (tensor: TensorIndex, to: number): void => {
    const stay = open.get(tensor);
    if (stay !== undefined) stay.to = to;
    open.delete(tensor);
  };
  const away = awayAtStart(graph, steps);
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role) && !away.has(t)) enter(t, -1);
  });
  steps.forEach((step, i) => {
    switch (step.kind) {
      case "compute":
      case "recompute": {
        const { outputs = [], workspaceBytes = 0 } = graph.kernels[step.kernel] ?? {};
        for (const t of outputs) enter(t, i);
        if (workspaceBytes > 0) stays.push({ tensor: -1, from: i, to: i + 1, bytes: workspaceBytes });
        break;
      }
      case "prefetch":
        if (step.tier !== "host") enter(step.tensor, i);
        break;
      case "offload":
        if (step.keep !== true) leave(step.tensor, i);
        break;
      case "free":
        leave(step.tensor, i);
        break;
      default:
        step satisfies never;
    }
  });
  return stays.filter(({ from, to }) => from < to);
}
