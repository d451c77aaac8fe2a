/**
 * A graph as flat arrays for the recompute search: units with their time, what they build and what they read, kernels with the
 * rebuildable tensors they touch. Tensors that exist before the iteration are a constant here.
 */
import type { Graph } from "../../graph/graph.ts";
import { existsAfter, existsBefore } from "../../graph/lifetimes.ts";
import { recomputeUnits, type Units } from "../recompute-units.ts";

/** Rows of different length in one array: row r is `items[start[r] … start[r + 1])`. */
export interface Rows {
  readonly start: Int32Array;
  readonly items: Int32Array;
}

export interface Model {
  readonly kernelCount: number;
  readonly tensorCount: number;
  readonly units: Units;
  readonly ms: Float64Array;
  readonly workspace: Float64Array;
  readonly bytes: Float64Array;
  /** Bytes of weights, state and inputs, there all the time. */
  readonly pinnedBytes: number;
  /** The tensor is there after the last kernel. */
  readonly outlives: Uint8Array;
  /** Rebuildable tensors that each kernel reads or writes, each once. */
  readonly touched: Rows;
  /** Tensors whose first writer each kernel is. */
  readonly made: Rows;
  /** Per unit: tensors it builds. */
  readonly outputs: Rows;
  /** Per unit: tensors of other units it reads. */
  readonly inputs: Rows;
  /** Per entry of `inputs.items`: the first kernel of the unit that reads it. */
  readonly inputReader: Int32Array;
  /** Per unit: its last kernel, and the time of all its kernels. */
  readonly lastMember: Int32Array;
  readonly unitMs: Float64Array;
}

export function recomputeModel(graph: Graph): Model {
  const { kernels, tensors } = graph;
  const units = recomputeUnits(graph);
  const { firstWriter, unitOf } = units;
  let pinnedBytes = 0;
  for (const { role, bytes } of tensors) if (existsBefore(role)) pinnedBytes += bytes;
  const rebuildable = (t: number): boolean => firstWriter[t]! >= 0;
  const touched = kernels.map(({ inputs, outputs }) => [...new Set([...inputs, ...outputs])].filter(rebuildable));
  const made: number[][] = kernels.map(() => []);
  const outputs: number[][] = Array.from({ length: units.count }, () => []);
  firstWriter.forEach((k, t) => {
    if (k < 0) return;
    made[k]!.push(t);
    outputs[unitOf[k]!]!.push(t);
  });
  const inputs: number[][] = [];
  const inputReader: number[] = [];
  const lastMember = new Int32Array(units.count);
  const unitMs = new Float64Array(units.count);
  const seen = new Int32Array(tensors.length).fill(-1);
  for (let unit = 0; unit < units.count; unit++) {
    const row: number[] = [];
    for (let m = units.memberStart[unit]!; m < units.memberStart[unit + 1]!; m++) {
      const k = units.members[m]!;
      lastMember[unit] = k;
      unitMs[unit]! += kernels[k]!.ms;
      for (const t of touched[k]!) {
        if (unitOf[firstWriter[t]!] === unit || seen[t] === unit) continue;
        seen[t] = unit;
        row.push(t);
        inputReader.push(k);
      }
    }
    inputs.push(row);
  }
  return {
    kernelCount: kernels.length,
    tensorCount: tensors.length,
    units,
    ms: Float64Array.from(kernels, ({ ms }) => ms),
    workspace: Float64Array.from(kernels, ({ workspaceBytes = 0 }) => workspaceBytes),
    bytes: Float64Array.from(tensors, ({ bytes }) => bytes),
    pinnedBytes,
    outlives: Uint8Array.from(tensors, ({ role }) => (existsAfter(role) ? 1 : 0)),
    touched: rows(touched),
    made: rows(made),
    outputs: rows(outputs),
    inputs: rows(inputs),
    inputReader: Int32Array.from(inputReader),
    lastMember,
    unitMs,
  };
}

function rows(lists: readonly (readonly number[])[]): Rows {
  const start = new Int32Array(lists.length + 1);
  lists.forEach((list, r) => {
    start[r + 1] = start[r]! + list.length;
  });
  const items = new Int32Array(start[lists.length]!);
  lists.forEach((list, r) => items.set(list, start[r]));
  return { start, items };
}

/** Time of one re-run of a unit before kernel `stage`: of those of its kernels that have run by then. */
export function rerunMs({ units, ms, unitMs, lastMember }: Model, unit: number, stage: number): number {
  if (stage > lastMember[unit]!) return unitMs[unit]!;
  let sum = 0;
  for (let m = units.memberStart[unit]!; units.members[m]! < stage; m++) sum += ms[units.members[m]!]!;
  return sum;
}

/** Bytes of everything a unit builds. */
export function outputBytes({ outputs, bytes }: Model, unit: number): number {
  let sum = 0;
  for (let i = outputs.start[unit]!; i < outputs.start[unit + 1]!; i++) sum += bytes[outputs.items[i]!]!;
  return sum;
}
