/** A network's cost: every layer through the model of the machine, layers that ran more than once together, the rest on the host. */
import { hasCode } from "../../errors.ts";
import type { HostOp } from "../backend/records.ts";
import type { AcceleratorEnergy } from "../energy.ts";
import { macsOf, inputsOf } from "../layer.ts";
import { type CostTotals, totalsOf } from "../totals.ts";
import { type HostCost, hostCosts } from "./host.ts";
import type { Costed, CostModel, InferLayer } from "./model.ts";
import { addDetails, addRuns, sumCosts } from "./repeated.ts";

export interface LayerResult extends Costed {
  readonly layer: InferLayer;
  /** Runs that the cost and the counts are of, as of a recurrent layer; densities are means, the shape is that of one. */
  readonly runs: number;
}

export interface NetworkCost {
  readonly layers: readonly LayerResult[];
  readonly host: readonly HostCost[];
  /** Of the accelerator alone. */
  readonly totals: CostTotals;
}

export interface NetworkLayers {
  readonly layers: readonly InferLayer[];
  readonly hostOps: readonly HostOp[];
}

export interface CostOptions {
  readonly model: CostModel;
  /** For what the host's arithmetic would take, by the same table. */
  readonly energy: AcceleratorEnergy;
  readonly batch: number;
  readonly onLayer?: (name: string) => void;
}

export function costNetwork({ layers, hostOps }: NetworkLayers, options: CostOptions): NetworkCost {
  const { model, energy, batch, onLayer } = options;
  const results = new Map<string, LayerResult>();
  const refused: HostOp[] = [];
  for (const layer of layers) {
    const { name } = layer.shape;
    onLayer?.(name);
    const costed = costOrReason(model, layer);
    if ("reason" in costed) {
      const kernel = layer.ran?.kernel ?? layer.shape.kind;
      const macs = macsOf(layer.shape);
      refused.push({ kernel, layer: name, elements: inputsOf(layer.shape), macs, reason: costed.reason });
      continue;
    }
    const key = JSON.stringify([layer.shape, layer.operands?.fingerprint]);
    const before = results.get(key);
    results.set(key, before === undefined ? { ...costed, layer, runs: 1 } : repeated(before, layer, costed));
  }
  const all = [...results.values()];
  return {
    layers: all,
    host: hostCosts([...refused, ...hostOps], energy),
    totals: totalsOf(
      all.map(({ cost }) => cost),
      batch,
    ),
  };
}

function costOrReason(model: CostModel, layer: InferLayer): Costed | { readonly reason: string } {
  try {
    return model.cost(layer);
  } catch (error) {
    if (!hasCode(error, "ERR_UNSUPPORTED_LAYER")) throw error;
    return { reason: error.message.replace(`${layer.shape.name}: `, "") };
  }
}

function repeated(before: LayerResult, layer: InferLayer, { cost, details }: Costed): LayerResult {
  return {
    layer: addRuns(before.layer, before.runs, layer),
    runs: before.runs + 1,
    cost: sumCosts(before.cost, cost),
    details: addDetails(before.details, details),
  };
}
