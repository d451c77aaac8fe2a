/**
 * An iteration as DTR's simulator sees it: operators on values. A write in place makes a new value of the same size beside the old
 * one, as the simulator's `MUTATE` does, so the old one can be rebuilt. What exists before the iteration is pinned.
 *
 * The graphs hold DTR's logs without their views (aliases of no bytes) and without the moments at which Python let go of a tensor; a
 * value is let go of here after its last use, which may be earlier.
 */
import type { Graph } from "../../graph/graph.ts";
import { existsAfter, existsBefore } from "../../graph/lifetimes.ts";

export interface DtrOperator {
  readonly ms: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Values that the program lets go of once this operator has run. */
  readonly releases: readonly number[];
}

export interface DtrProgram {
  readonly operators: readonly DtrOperator[];
  readonly bytes: Float64Array;
  /** Operator that makes each value; -1 for what is pinned. */
  readonly makers: Int32Array;
  /** Operators that read each value. */
  readonly readers: readonly (readonly number[])[];
  /** What has to be there at the end. */
  readonly results: readonly number[];
}

export function dtrProgram({ tensors, kernels }: Graph): DtrProgram {
  const bytes: number[] = [];
  const makers: number[] = [];
  const readers: number[][] = [];
  const make = (t: number, maker: number): number => {
    makers.push(maker);
    readers.push([]);
    return bytes.push(tensors[t]?.bytes ?? 0) - 1;
  };
  const current = tensors.map(({ role }, t) => (existsBefore(role) ? make(t, -1) : -1));
  const operators = kernels.map(({ ms, inputs, outputs }, k) => {
    const read = [...new Set(inputs.map((t) => current[t] as number))].filter((v) => v >= 0);
    for (const v of read) readers[v]?.push(k);
    const written = [...new Set(outputs)].map((t) => (current[t] = make(t, k)));
    return { ms, inputs: read, outputs: written };
  });
  const results = tensors.flatMap(({ role }, t) =>
    existsAfter(role) && (makers[current[t] as number] ?? -1) >= 0 ? [current[t] as number] : [],
  );
  const releases: number[][] = operators.map(() => []);
  const isResult = new Set(results);
  makers.forEach((maker, v) => {
    if (maker >= 0 && !isResult.has(v)) releases[readers[v]?.at(-1) ?? maker]?.push(v);
  });
  return {
    operators: operators.map((operator, k) => ({ ...operator, releases: releases[k] ?? [] })),
    bytes: Float64Array.from(bytes),
    makers: Int32Array.from(makers),
    readers,
    results,
  };
}
