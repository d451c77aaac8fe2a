/**
 * What there is to decide: the gaps of a graph. A gap is the stretch between two consecutive uses of a tensor; in it the tensor
 * need not be on the device. Deciding about it is the affair of others.
 */
import type { Graph, GraphTensor } from "../../graph/graph.ts";
import { existsAfter, existsBefore } from "../../graph/lifetimes.ts";
import { bucketed } from "../buckets.ts";
import { type FlatGraph, flatten, type Lists } from "../flat.ts";
import type { Machine } from "../policy.ts";

/** Flat arrays over gaps, ordered by `from`. */
export interface Gaps {
  readonly count: number;
  readonly tensor: Int32Array;
  /** Last use before the gap; -1 for state that the iteration before left elsewhere: a *head*. */
  readonly from: Int32Array;
  /** Next use; the number of kernels for what is left elsewhere at the end: a *tail*. */
  readonly to: Int32Array;
  /** Kernel that wrote the version that is in the gap; -1 where it was there before the first. */
  readonly writer: Int32Array;
  readonly bytes: Float64Array;
  /** The next gap of the same version; -1 if none. Only the first chosen one needs a copy out. */
  readonly next: Int32Array;
  /** The gap of the same version before it; -1 if none. */
  readonly previous: Int32Array;
}

export interface Problem {
  readonly graph: Graph;
  readonly flat: FlatGraph;
  readonly gaps: Gaps;
  /** Device bytes while kernel k runs with everything kept, workspace included. */
  readonly keptBytes: Float64Array;
  /** Bytes in gaps at kernel k that end in an overwrite of all, so that nobody reads what is in them. */
  readonly freeBytes: Float64Array;
  /** Tensors that are dead after kernel k. */
  readonly dying: Lists;
  /** Gaps whose `from` is kernel k are those from `opening[k]` to `opening[k + 1]`; before `opening[0]` it is -1. */
  readonly opening: Int32Array;
  readonly oracleMs: number;
  /** Time of kernels k and later. */
  readonly restMs: Float64Array;
}

/**
 * @param graph kernels in order; every tensor that does not exist before is written before it is read
 * @param isLastResort optimizer state may leave too, also from its last use to its first in the next iteration; and what the caller
 * gets may end elsewhere than on the device
 */
export function problemOf(graph: Graph, isLastResort = false): Problem {
  const flat = flatten(graph);
  const { kernelCount: n, tensorCount, bytes, inputs, outputs, workspaceBytes, ms } = flat;
  const lastUse = new Int32Array(tensorCount).fill(-1);
  const writer = new Int32Array(tensorCount).fill(-1);
  const first = new Int32Array(tensorCount).fill(-1);
  const found: Found = { tensors: [], froms: [], tos: [], writers: [] };
  const mobility = mobilityOf(graph, isLastResort);
  const free = new Float64Array(n + 1);
  const note = (t: number, k: number, isWrite: boolean): void => {
    const last = lastUse[t] as number;
    if (last < 0 ? mobility[t] === WITH_HEAD && k > 0 : mobility[t] !== STAYS && k - last >= 2) {
      found.tensors.push(t);
      found.froms.push(last);
      found.tos.push(k);
      found.writers.push(writer[t] as number);
    }
    // Inputs are noted before outputs: what kernel k writes and has not been noted for it, it does not read.
    if (isWrite && last >= 0 && last < k - 1) {
      free[last + 1]! += bytes[t] as number;
      free[k]! -= bytes[t] as number;
    }
    if (last < 0) first[t] = k;
    lastUse[t] = k;
    if (isWrite) writer[t] = k;
  };
  for (let k = 0; k < n; k++) {
    for (let i = inputs.start[k] as number; i < (inputs.start[k + 1] as number); i++) {
      note(inputs.items[i] as number, k, false);
    }
    for (let i = outputs.start[k] as number; i < (outputs.start[k + 1] as number); i++) {
      note(outputs.items[i] as number, k, true);
    }
  }
  if (isLastResort) {
    graph.tensors.forEach(({ role }, t) => {
      // State that the first kernel needs is there from the start, so it has to be there at the end.
      const hasTail = role === "state" ? (first[t] as number) > 0 : role === "output" && (first[t] as number) >= 0;
      if (hasTail) note(t, n + 1, false);
    });
  }
  const kept = new Float64Array(n + 1);
  const mortal: number[] = [];
  const deaths: number[] = [];
  graph.tensors.forEach(({ role }, t) => {
    const from = existsBefore(role) ? 0 : (first[t] as number);
    if (from < 0) return;
    const to = existsAfter(role) ? n - 1 : (lastUse[t] as number);
    kept[from]! += bytes[t] as number;
    kept[to + 1]! -= bytes[t] as number;
    if (existsAfter(role)) return;
    mortal.push(t);
    deaths.push(to);
  });
  for (let k = 1; k < n; k++) {
    kept[k]! += kept[k - 1] as number;
    free[k]! += free[k - 1] as number;
  }
  for (let k = 0; k < n; k++) kept[k]! += workspaceBytes[k] as number;
  const restMs = new Float64Array(n + 1);
  for (let k = n - 1; k >= 0; k--) restMs[k] = (restMs[k + 1] as number) + (ms[k] as number);
  const byFrom = bucketed(Int32Array.from(found.froms), n + 1, 1);
  return {
    graph,
    flat,
    gaps: gapsOf(found, byFrom.items, bytes, n),
    keptBytes: kept.subarray(0, n),
    freeBytes: free.subarray(0, n),
    dying: dyingAt(mortal, deaths, n),
    // Those that open after kernel k - 1 or earlier.
    opening: byFrom.start.subarray(1),
    oracleMs: restMs[0] as number,
    restMs,
  };
}

interface Found {
  readonly tensors: number[];
  readonly froms: number[];
  readonly tos: number[];
  readonly writers: number[];
}

const STAYS = 0;
const MOVES = 1;
const WITH_HEAD = 2;

/** For each tensor, whether it has gaps, and whether one before its first use is among them. */
function mobilityOf({ tensors }: Graph, isLastResort: boolean): Uint8Array {
  const mobility = new Uint8Array(tensors.length);
  for (let t = 0; t < tensors.length; t++) {
    const { role, bytes } = tensors[t] as GraphTensor;
    if (bytes <= 0 || role === "weight") continue;
    mobility[t] = role !== "state" ? MOVES : isLastResort ? WITH_HEAD : STAYS;
  }
  return mobility;
}

/** A head or the tail that belongs to one: both are used, or neither. */
export function isPaired({ graph, gaps, flat }: Problem, g: number): boolean {
  if ((gaps.from[g] as number) < 0) return true;
  return gaps.to[g] === flat.kernelCount && graph.tensors[gaps.tensor[g] as number]?.role === "state";
}

/** Marks both where one of them is marked. */
export function markPairs({ gaps, opening, flat }: Problem, chosen: Uint8Array): void {
  if (opening[0] === 0) return;
  const heads = new Map<number, number>();
  for (let g = 0; g < (opening[0] as number); g++) heads.set(gaps.tensor[g] as number, g);
  for (let g = 0; g < gaps.count; g++) {
    const head = gaps.to[g] === flat.kernelCount ? heads.get(gaps.tensor[g] as number) : undefined;
    if (head !== undefined) chosen[g] = chosen[head] = (chosen[g] as number) | (chosen[head] as number);
  }
}

/** Puts the gaps in this order, which is by `from`, and links those of the same version. */
function gapsOf(
  { tensors, froms, tos, writers }: Found,
  order: Int32Array,
  bytes: Float64Array,
  kernelCount: number,
): Gaps {
  const count = tensors.length;
  const tensor = new Int32Array(count);
  const from = new Int32Array(count);
  const to = new Int32Array(count);
  const writer = new Int32Array(count);
  const size = new Float64Array(count);
  for (let g = 0; g < count; g++) {
    const i = order[g] as number;
    tensor[g] = tensors[i] as number;
    from[g] = froms[i] as number;
    to[g] = Math.min(tos[i] as number, kernelCount);
    writer[g] = writers[i] as number;
    size[g] = bytes[tensor[g] as number] as number;
  }
  const next = new Int32Array(count).fill(-1);
  const previous = new Int32Array(count).fill(-1);
  const latest = new Int32Array(bytes.length).fill(-1);
  for (let g = 0; g < count; g++) {
    const before = latest[tensor[g] as number] as number;
    if (before >= 0 && writer[before] === writer[g]) {
      next[before] = g;
      previous[g] = before;
    }
    latest[tensor[g] as number] = g;
  }
  return { count, tensor, from, to, writer, bytes: size, next, previous };
}

/** @param deaths kernel after which each of the tensors is dead */
function dyingAt(tensors: readonly number[], deaths: readonly number[], kernelCount: number): Lists {
  const { start, items } = bucketed(Int32Array.from(deaths), kernelCount, 0);
  return { start, items: items.map((i) => tensors[i] as number) };
}

/**
 * Device bytes at each kernel with the gaps empty from end to end that a choice does not keep.
 *
 * @param chosen per gap; 0 keeps it
 * @param bytes filled up to the number of kernels; one longer than that
 */
export function fillDeviceBytes({ gaps, keptBytes, flat }: Problem, chosen: Uint8Array, bytes: Float64Array): void {
  bytes.fill(0);
  for (let g = 0; g < gaps.count; g++) {
    if (chosen[g] === 0) continue;
    const from = (gaps.from[g] as number) + 1;
    const to = gaps.to[g] as number;
    const size = gaps.bytes[g] as number;
    bytes[from]! -= size;
    bytes[to]! += size;
  }
  for (let k = 0, sum = 0; k < flat.kernelCount; k++) {
    sum += bytes[k] as number;
    bytes[k] = sum + (keptBytes[k] as number);
  }
}

/** A budget between the device's, at share 0, and what the graph takes when nothing leaves, at 1. */
export function targetBytes({ keptBytes }: Problem, { deviceBytes }: Machine, share: number): number {
  const peak = keptBytes.reduce((most, bytes) => Math.max(most, bytes), 0);
  return deviceBytes + share * (peak - deviceBytes);
}
