/** Sums over the layers of a network, whatever accelerator they were counted for. */
import { ENERGY_PARTS, type EnergyPart, type LayerCost, MEMORY_LEVELS, type MemoryLevel } from "./cost.ts";

export interface CostTotals {
  readonly processingMs: number;
  readonly totalMs: number;
  /** Maps per second of total time. */
  readonly framesPerSecond: number;
  readonly macs: number;
  readonly gatedMacs: number;
  readonly skippedMacs: number;
  readonly accesses: Readonly<Record<MemoryLevel, number>>;
  readonly energyPj: Readonly<Record<EnergyPart, number>>;
  /** By `energyPj`, all parts. */
  readonly framesPerJoule: number;
  readonly dramBytes: { readonly uncompressed: number; readonly compressed: number };
  /** Words of 16 bits per MAC, as the Eyeriss papers count them. */
  readonly dramWordsPerMac: number;
  /** Each layer's, weighted with its processing time; null where a layer has none. */
  readonly chipMw: number | null;
}

/** @param batch maps that the layers' costs are of */
export function totalsOf(costs: readonly LayerCost[], batch: number): CostTotals {
  const sum = (value: (cost: LayerCost) => number): number => costs.reduce((total, cost) => total + value(cost), 0);
  const [processingMs, totalMs] = [sum((cost) => cost.processingMs), sum((cost) => cost.totalMs)];
  const macs = sum((cost) => cost.macs);
  const energyPj = Object.fromEntries(ENERGY_PARTS.map((part) => [part, sum((cost) => cost.energyPj[part])])) as Record<
    EnergyPart,
    number
  >;
  const accesses = Object.fromEntries(
    MEMORY_LEVELS.map((level) => [level, sum((cost) => cost.accesses[level])]),
  ) as Record<MemoryLevel, number>;
  const compressed = sum(({ dramBytes }) => dramBytes.compressed);
  const joules = ENERGY_PARTS.reduce((total, part) => total + energyPj[part], 0) * 1e-12;
  const isMeasured = costs.every(({ chipMw }) => chipMw !== null);
  return {
    processingMs,
    totalMs,
    framesPerSecond: totalMs === 0 ? 0 : (batch * 1000) / totalMs,
    macs,
    gatedMacs: sum((cost) => cost.gatedMacs),
    skippedMacs: sum((cost) => cost.skippedMacs),
    accesses,
    energyPj,
    framesPerJoule: joules === 0 ? 0 : batch / joules,
    dramBytes: { uncompressed: sum(({ dramBytes }) => dramBytes.uncompressed), compressed },
    dramWordsPerMac: macs === 0 ? 0 : compressed / 2 / macs,
    chipMw:
      isMeasured && processingMs > 0 ? sum((cost) => (cost.chipMw ?? 0) * cost.processingMs) / processingMs : null,
  };
}
