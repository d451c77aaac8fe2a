/** All dataflows, by name, and a comparison of them on the same area. */
import { findByName } from "../../simulator/names.ts";
import type { LayerShape } from "../layer.ts";
import { type ArrayOptions, sameArea } from "./area.ts";
import { cheapest, type Dataflow, type DataflowCost, type DataflowName } from "./dataflow.ts";
import { noLocalReuse } from "./no-local-reuse.ts";
import { outputStationaryA, outputStationaryB, outputStationaryC } from "./output-stationary.ts";
import { rowStationary } from "./row-stationary.ts";
import { weightStationary } from "./weight-stationary.ts";

export const DATAFLOWS: readonly Dataflow[] = [
  rowStationary,
  weightStationary,
  outputStationaryA,
  outputStationaryB,
  outputStationaryC,
  noLocalReuse,
];

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function dataflowNamed(name: string): Dataflow {
  return findByName("dataflow", DATAFLOWS, name);
}

export interface DataflowComparison {
  readonly name: DataflowName;
  readonly title: string;
  readonly bufferWords: number;
  /** One per layer; null where the dataflow cannot run it in its memories. */
  readonly costs: readonly (DataflowCost | null)[];
  /** Of all layers, in 16-bit MACs; null where one cannot run. */
  readonly total: number | null;
}

/** Every dataflow on an array of the same area. */
export function compareDataflows(layers: readonly LayerShape[], options: ArrayOptions = {}): DataflowComparison[] {
  return DATAFLOWS.map((dataflow) => {
    const array = sameArea(dataflow, options);
    const costs = layers.map((layer) => cheapest(dataflow, layer, array));
    const total = costs.reduce<number | null>(
      (sum, cost) => (sum === null || cost === null ? null : sum + cost.total),
      0,
    );
    return { name: dataflow.name, title: dataflow.title, bufferWords: array.bufferWords, costs, total };
  });
}
