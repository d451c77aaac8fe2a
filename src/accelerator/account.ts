/** Energy of a layer from its counts and a table. The one place where a count meets a picojoule. Pure. */
import { type EnergyPart, MEMORY_LEVELS, type MemoryLevel } from "./cost.ts";
import type { AcceleratorEnergy, Precision } from "./energy.ts";

/** 1 mW for 1 ms is 1 uJ. */
export const PJ_PER_MW_MS = 1e6;

export interface EnergyCounts {
  /** Words of `wordBits` at each level, reads and writes. */
  readonly accesses: Readonly<Record<MemoryLevel, number>>;
  readonly wordBits: number;
  /** MACs that were computed: neither gated nor skipped. */
  readonly activeMacs: number;
  readonly precision: Precision;
  readonly accumulate: Precision | "int32";
  readonly ms: number;
}

/** pJ per part. A word that is narrower or wider than the table's costs in proportion. */
export function energyOf(counts: EnergyCounts, table: AcceleratorEnergy): Record<EnergyPart, number> {
  const { accesses, wordBits, activeMacs, precision, accumulate, ms } = counts;
  const wordShare = wordBits / table.wordBits;
  const [dram, buffer, array, registers] = MEMORY_LEVELS.map(
    (level) => accesses[level] * table.accessPj[level] * wordShare,
  ) as [number, number, number, number];
  const arithmetic = activeMacs * (table.multiplyPj[precision] + table.addPj[accumulate]);
  return { dram, buffer, array, registers, arithmetic, static: table.staticMw * ms * PJ_PER_MW_MS };
}

/** What a product is summed in unless asked otherwise: twice the width for integers, FP32 for halves. */
export function defaultAccumulator(precision: Precision): Precision | "int32" {
  return precision === "fp32" || precision === "fp16" ? "fp32" : "int32";
}
