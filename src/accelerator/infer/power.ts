/** Energy by the table, all parts, and what power that is. */
import { ENERGY_PARTS, type LayerCost } from "../cost.ts";

export function energySum({ energyPj }: Pick<LayerCost, "energyPj">): number {
  return ENERGY_PARTS.reduce((sum, part) => sum + energyPj[part], 0);
}

/** Over the total time, DRAM included; null where no time passes. */
export function averageMw(cost: Pick<LayerCost, "energyPj" | "totalMs">): number | null {
  // 1 pJ in 1 ms is 1e-6 mW.
  return cost.totalMs === 0 ? null : (energySum(cost) / cost.totalMs) * 1e-6;
}
