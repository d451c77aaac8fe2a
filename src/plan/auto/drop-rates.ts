/**
 * What it costs at least, per byte, to drop what is in a gap and to build it again: its share of its writer's ms, and what brings back
 * the writer's inputs that are dead by then. Note [Lower bound] (bounds.ts) says why that is sound.
 */
import { msPerByte } from "../execution.ts";
import { existsAfter, existsBefore } from "../../graph/lifetimes.ts";
import type { Machine } from "../policy.ts";
import type { Problem } from "./gaps.ts";

/** Inputs of inputs that are looked at. */
const MAX_DEPTH = 8;

export interface DropRates {
  /** ms per byte for each gap; Infinity where its writer must not run again. */
  readonly rate: Float64Array;
  /** The first kernel that a gap's tensor is built from; its writer where nothing that it needs is dead. */
  readonly first: Int32Array;
}

/**
 * @param machine where copies take the time of the computing thread: dead inputs cost the cheaper of copying and building. Left
 * out, they are built: who copies them, copies no fewer bytes than the tensor itself has
 */
export function dropRates(problem: Problem, machine?: Machine): DropRates {
  const { gaps, flat, graph } = problem;
  const { inputs, outputs, bytes, ms } = flat;
  const chains = chainsOf(problem);
  const earliest = gaps.writer.slice();
  const [out, back] = [msPerByte(machine?.offloadGBps ?? 0), msPerByte(machine?.prefetchGBps ?? 0)];
  const isMovable = machine !== undefined && machine.hostBytes > 0;
  const bytesOf = (a: number): number => {
    let sum = 0;
    for (let i = outputs.start[a] as number; i < (outputs.start[a + 1] as number); i++) {
      sum += bytes[outputs.items[i] as number] as number;
    }
    return sum;
  };
  const mayRun = (a: number): boolean => a >= 0 && graph.kernels[a]?.recomputable !== false;
  /** ms for the dead inputs of kernel a, where they are needed to rebuild `size` bytes after the gap g. */
  const inputsMs = (g: number, a: number, size: number, depth: number): number => {
    let sum = 0;
    if (depth === 0) return sum;
    for (let i = inputs.start[a] as number; i < (inputs.start[a + 1] as number); i++) {
      const z = inputs.items[i] as number;
      const [writer, own] = [chains.writer[z] as number, bytes[z] as number];
      if (writer < 0 || (chains.lastUse[z] as number) > (gaps.from[g] as number) || own < size) continue;
      const isFirst = gaps.previous[g] === -1 && gaps.next[g] === -1 && chains.hasGap[z] === 0;
      const copied = isMovable ? own * (back + (isFirst ? out : 0)) : Number.POSITIVE_INFINITY;
      const built = mayRun(writer)
        ? (ms[writer] as number) * (own / bytesOf(writer)) +
          (chains.isAlone[writer] === 1 ? inputsMs(g, writer, size, depth - 1) : 0)
        : Number.POSITIVE_INFINITY;
      earliest[g] = Math.min(earliest[g] as number, writer);
      sum += Math.min(copied, built);
    }
    return sum;
  };
  const rate = Float64Array.from(gaps.writer, (a, g) => {
    if (!mayRun(a)) return Number.POSITIVE_INFINITY;
    const size = bytesOf(a);
    const dead = chains.isAlone[a] === 1 ? inputsMs(g, a, size, MAX_DEPTH) : 0;
    return ((ms[a] as number) + dead) / size;
  });
  return { rate, first: earliest };
}

interface Chains {
  /** The only kernel that writes a tensor that is read by one kernel alone that may run again; -1 for any other tensor. */
  readonly writer: Int32Array;
  readonly lastUse: Int32Array;
  readonly hasGap: Uint8Array;
  /** Kernels that write one tensor and no more. */
  readonly isAlone: Uint8Array;
}

function chainsOf({ gaps, flat, graph }: Problem): Chains {
  const { tensorCount, kernelCount, inputs, outputs, bytes } = flat;
  const writer = new Int32Array(tensorCount).fill(-1);
  const writes = new Int32Array(tensorCount);
  const reads = new Int32Array(tensorCount);
  const lastUse = new Int32Array(tensorCount).fill(-1);
  const isAlone = new Uint8Array(kernelCount);
  for (let k = 0; k < kernelCount; k++) {
    for (let i = inputs.start[k] as number; i < (inputs.start[k + 1] as number); i++) {
      const t = inputs.items[i] as number;
      lastUse[t] = k;
      if (graph.kernels[k]?.recomputable !== false) reads[t] = (reads[t] as number) + 1;
    }
    let written = 0;
    for (let i = outputs.start[k] as number; i < (outputs.start[k + 1] as number); i++) {
      const t = outputs.items[i] as number;
      lastUse[t] = k;
      writer[t] = k;
      writes[t]! += 1;
      if ((bytes[t] as number) > 0) written++;
    }
    isAlone[k] = written === 1 ? 1 : 0;
  }
  graph.tensors.forEach(({ role }, t) => {
    if (writes[t] !== 1 || reads[t] !== 1 || existsBefore(role) || existsAfter(role)) writer[t] = -1;
  });
  const hasGap = new Uint8Array(tensorCount);
  for (const t of gaps.tensor) hasGap[t] = 1;
  return { writer, lastUse, hasGap, isAlone };
}
