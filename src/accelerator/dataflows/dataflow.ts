/** A dataflow as data and mappings: what stays in an element, and every way to lay a layer on an array of a given size. */
import { EYERISS_NORMALIZED } from "../energy-data.ts";
import type { EnergyPart } from "../cost.ts";
import { type LayerShape, macsOf } from "../layer.ts";
import { type Accesses, accessesOf, type LayerReuse } from "./reuse.ts";

export const DATAFLOW_NAMES = [
  "row-stationary",
  "weight-stationary",
  "output-stationary-a",
  "output-stationary-b",
  "output-stationary-c",
  "no-local-reuse",
] as const;
export type DataflowName = (typeof DATAFLOW_NAMES)[number];

/** The array that a mapping is laid on; memories in words of 16 bits. */
export interface ArraySize {
  readonly rows: number;
  readonly columns: number;
  readonly registerWords: number;
  readonly bufferWords: number;
}

export interface Dataflow {
  readonly name: DataflowName;
  readonly title: string;
  /** Words of registers per element that it uses; area that it does not need becomes buffer. */
  readonly registerWords: number;
  /** Every mapping worth looking at. None: the layer cannot run in these memories. */
  reuses(layer: LayerShape, array: ArraySize): Iterable<LayerReuse>;
}

export interface DataflowCost {
  readonly layer: LayerShape;
  readonly accesses: Accesses;
  /** In 16-bit MACs. */
  readonly energy: Readonly<Record<Exclude<EnergyPart, "static">, number>>;
  readonly total: number;
}

/** The mapping of least energy; null where there is none. */
export function cheapest(dataflow: Dataflow, layer: LayerShape, array: ArraySize): DataflowCost | null {
  let best: DataflowCost | null = null;
  for (const reuse of dataflow.reuses(layer, array)) {
    const cost = costOf(layer, accessesOf(reuse));
    if (best === null || cost.total < best.total) best = cost;
  }
  return best;
}

function costOf(layer: LayerShape, accesses: Accesses): DataflowCost {
  const energy = {
    dram: accesses.dram * EYERISS_NORMALIZED.dram,
    buffer: accesses.buffer * EYERISS_NORMALIZED.buffer,
    array: accesses.array * EYERISS_NORMALIZED.array,
    registers: accesses.registers * EYERISS_NORMALIZED.registers,
    arithmetic: macsOf(layer) * EYERISS_NORMALIZED.mac,
  };
  return { layer, accesses, energy, total: Object.values(energy).reduce((sum, part) => sum + part, 0) };
}
