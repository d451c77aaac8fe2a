/** Costs of one layer that runs more than once, as recurrent layers do at every step. */
import { ENERGY_PARTS, type EnergyPart, type LayerCost, MEMORY_LEVELS, type MemoryLevel } from "../cost.ts";
import { addMacs } from "../backend/mac-counts.ts";
import type { Saturation } from "../backend/records.ts";
import type { Densities } from "../layer.ts";
import type { CostDetails, InferLayer } from "./model.ts";

/** Counts and times add up; shares and power are weighted with processing time. */
export function sumCosts(a: LayerCost, b: LayerCost): LayerCost {
  const processingMs = a.processingMs + b.processingMs;
  const mean = (of: (cost: LayerCost) => number): number =>
    processingMs === 0 ? of(a) : (of(a) * a.processingMs + of(b) * b.processingMs) / processingMs;
  const isMeasured = a.chipMw !== null && b.chipMw !== null;
  return {
    layer: a.layer,
    cycles: a.cycles + b.cycles,
    processingMs,
    totalMs: a.totalMs + b.totalMs,
    activePes: mean(({ activePes }) => activePes),
    utilization: mean(({ utilization }) => utilization),
    macs: a.macs + b.macs,
    gatedMacs: a.gatedMacs + b.gatedMacs,
    skippedMacs: a.skippedMacs + b.skippedMacs,
    accesses: sums(MEMORY_LEVELS, a.accesses, b.accesses),
    energyPj: sums(ENERGY_PARTS, a.energyPj, b.energyPj),
    dramBytes: {
      uncompressed: a.dramBytes.uncompressed + b.dramBytes.uncompressed,
      compressed: a.dramBytes.compressed + b.dramBytes.compressed,
    },
    chipMw: isMeasured ? mean(({ chipMw }) => chipMw ?? 0) : null,
  };
}

function sums<Key extends MemoryLevel | EnergyPart>(
  keys: readonly Key[],
  a: Readonly<Record<Key, number>>,
  b: Readonly<Record<Key, number>>,
): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, a[key] + b[key]])) as Record<Key, number>;
}

/** Counts add up, densities are the mean over the runs. */
export function addRuns(before: InferLayer, runs: number, next: InferLayer): InferLayer {
  const mean = (what: keyof Densities): number => (before.densities[what] * runs + next.densities[what]) / (runs + 1);
  const ran =
    before.ran === null || next.ran === null
      ? null
      : {
          kernel: before.ran.kernel,
          macs: addMacs(before.ran.macs, next.ran.macs),
          saturated: addSaturation(before.ran.saturated, next.ran.saturated),
        };
  return { ...before, ran, densities: { inputs: mean("inputs"), weights: mean("weights"), outputs: mean("outputs") } };
}

export function addSaturation(a: Saturation, b: Saturation): Saturation {
  return {
    inputs: a.inputs + b.inputs,
    weights: a.weights + b.weights,
    sums: a.sums + b.sums,
    outputs: a.outputs + b.outputs,
  };
}

/** A mapping is that of the first run, as the shape is the same. */
export function addDetails(a: CostDetails, b: CostDetails): CostDetails {
  if (a.kind !== "eie" || b.kind !== "eie") return a;
  const parts = Object.keys(a.publishedPj) as (keyof typeof a.publishedPj)[];
  return {
    ...a,
    vectors: a.vectors + b.vectors,
    simulatedVectors: a.simulatedVectors + b.simulatedVectors,
    publishedPj: Object.fromEntries(
      parts.map((part) => [part, a.publishedPj[part] + b.publishedPj[part]]),
    ) as typeof a.publishedPj,
  };
}
