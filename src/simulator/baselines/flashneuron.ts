/**
 * FlashNeuron (Bae et al., FAST 2021) as G10's simulator models it: before the run, forward tensors that the backward pass reads are
 * chosen in the order of their first use, until the others fit; these go to the SSD (never to the host) after their last use in the
 * forward pass. The backward pass begins when all copies out have ended, and fetches in the order of use whatever there is room for in one
 * piece. Memory is one address space, first fit: what stays from the left, what moves from the right.
 *
 * The artifact's SSD is 3.2 * 2^30 bytes a second here, against 3.2 * 10^9 elsewhere; so it is here.
 */
import type { Graph, KernelIndex, TensorIndex } from "../../graph/graph.ts";
import { backwardStart, existsBefore, lifetimes } from "../../graph/lifetimes.ts";
import { flatten } from "../../plan/flat.ts";
import { GIB } from "../../units.ts";
import { FirstFit } from "./first-fit.ts";
import type { G10Setting } from "./setting.ts";

export interface FlashNeuronRun {
  readonly stepMs: number;
  readonly offloadBytes: number;
}

interface Copy {
  readonly tensor: TensorIndex;
  readonly endMs: number;
}

/** Null where the artifact gives up too: what must stay does not fit. */
export function simulateFlashNeuron(graph: Graph, setting: G10Setting): FlashNeuronRun | null {
  const flat = flatten(graph);
  const { pageBytes } = setting;
  const pagesOf = (t: TensorIndex): number => Math.ceil((flat.bytes[t] as number) / pageBytes);
  const msOf = (t: TensorIndex): number => (flat.bytes[t] as number) / ((setting.ssdGBps * GIB) / 1000);
  const lives = lifetimes(graph);
  const isGlobal = graph.tensors.map(({ role }) => existsBefore(role));
  /** Used by one kernel alone: scratch memory of that kernel, for which the largest one's room is set aside. */
  const isScratch = lives.map(({ uses }, t) => isGlobal[t] !== true && uses.length <= 1);
  const needs = graph.kernels.map(({ inputs, outputs }) => [...new Set([...inputs, ...outputs])]);
  const sum = (tensors: readonly TensorIndex[]): number => tensors.reduce((total, t) => total + pagesOf(t), 0);
  const turn = backwardStart(graph) - 1;

  const memory = new FirstFit(Math.floor(setting.deviceBytes / pageBytes));
  const globals = graph.tensors.flatMap((_, t) => (isGlobal[t] === true ? [t] : []));
  const room =
    Math.floor(setting.deviceBytes / pageBytes) - sum(globals) - Math.max(...needs.map((tensors) => sum(tensors)));
  const leavesAt = chooseOffloads();
  if (leavesAt === null) return null;
  const scratch = Math.max(0, ...isScratch.map((is, t) => (is ? pagesOf(t) : 0)));
  if (memory.take(sum(globals), "left") < 0 || memory.take(scratch, "left") < 0) return null;

  const place = new Float64Array(graph.tensors.length).fill(-1);
  const isComing = new Uint8Array(graph.tensors.length);
  const [out, inward]: [Copy[], Copy[]] = [[], []];
  let [now, outMs, inMs, offloadBytes] = [0, 0, 0, 0];
  const reserve = Math.max(
    ...needs.map((tensors) => tensors.reduce((total, t) => total + (isGlobal[t] === true ? 0 : pagesOf(t)), 0)),
  );

  for (let k = 0; k < graph.kernels.length; k++) {
    if (k < turn) startOffloads(k);
    else while (out.length > 0) serveNext();
    for (const t of needs[k] as readonly TensorIndex[]) if (!makeReady(t, k)) return null;
    serveUntil(now + (flat.ms[k] as number));
    for (const t of needs[k] as readonly TensorIndex[]) {
      if (lives[t]?.lastUse === k && isGlobal[t] !== true && isScratch[t] !== true) drop(t);
    }
    if (k >= turn) fetchAhead(k);
  }
  return { stepMs: now, offloadBytes };

  /** Kernel before which each chosen tensor leaves, or null when the others do not fit. */
  function chooseOffloads(): Map<TensorIndex, KernelIndex> | null {
    const chosen = new Map<TensorIndex, KernelIndex>();
    if (room <= 0) return null;
    const candidates = new Set(
      needs
        .slice(0, turn)
        .flat()
        .filter((t) => isGlobal[t] !== true && isScratch[t] !== true && (lives[t]?.lastUse ?? -1) >= turn),
    );
    let staying = sum([...candidates]);
    for (const t of candidates) {
      if (staying < room) break;
      const uses = lives[t]?.uses ?? [];
      const gap = uses.findLastIndex(
        (use, i) => i + 1 < uses.length && (uses[i + 1] as number) - use > 1 && use < turn,
      );
      if (gap < 0) continue;
      chosen.set(t, (uses[gap] as number) + 1);
      staying -= pagesOf(t);
    }
    return staying > room ? null : chosen;
  }

  function startOffloads(k: KernelIndex): void {
    for (const [t, at] of leavesAt as Map<TensorIndex, KernelIndex>) {
      if (at !== k) continue;
      outMs = Math.max(outMs, now) + msOf(t);
      out.push({ tensor: t, endMs: outMs });
      offloadBytes += flat.bytes[t] as number;
    }
  }

  function startFetch(t: TensorIndex): void {
    inMs = Math.max(inMs, now) + msOf(t);
    inward.push({ tensor: t, endMs: inMs });
    isComing[t] = 1;
  }

  /** Waits for the first copy to end; false when there is none. */
  function serveNext(): boolean {
    const [leaving, coming] = [out[0], inward[0]];
    if (leaving !== undefined && (coming === undefined || leaving.endMs <= coming.endMs)) {
      now = Math.max(now, leaving.endMs);
      out.shift();
      drop(leaving.tensor);
    } else if (coming !== undefined) {
      now = Math.max(now, coming.endMs);
      inward.shift();
      isComing[coming.tensor] = 0;
    } else {
      return false;
    }
    return true;
  }

  function serveUntil(endMs: number): void {
    while (Math.min(out[0]?.endMs ?? Infinity, inward[0]?.endMs ?? Infinity) <= endMs) serveNext();
    now = endMs;
  }

  function makeReady(t: TensorIndex, k: KernelIndex): boolean {
    if (isGlobal[t] === true || isScratch[t] === true) return true;
    const moves = (leavesAt as Map<TensorIndex, KernelIndex>).has(t);
    if ((place[t] as number) < 0) {
      while (!allocate(t, moves ? "right" : "left")) if (!serveNext()) return false;
      if (moves && lives[t]?.definedBy !== k) startFetch(t);
    }
    while (isComing[t] === 1) serveNext();
    return true;
  }

  function allocate(t: TensorIndex, end: "left" | "right"): boolean {
    const start = memory.take(pagesOf(t), end);
    place[t] = start;
    return start >= 0;
  }

  function drop(t: TensorIndex): void {
    if ((place[t] as number) < 0) return;
    memory.give(place[t] as number, pagesOf(t));
    place[t] = -1;
  }

  function fetchAhead(k: KernelIndex): void {
    let rest = memory.largest - reserve;
    for (let next = k + 1; next < graph.kernels.length; next++) {
      for (const t of needs[next] as readonly TensorIndex[]) {
        if (!(leavesAt as Map<TensorIndex, KernelIndex>).has(t) || (place[t] as number) >= 0) continue;
        if (rest <= pagesOf(t) || !allocate(t, "right")) return;
        startFetch(t);
        rest -= pagesOf(t);
      }
    }
  }
}
