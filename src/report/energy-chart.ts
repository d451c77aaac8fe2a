/** Where energy goes: one bar per layer, stacked by part. */
import type { Bar, BarChart } from "./bar-chart.ts";

export interface LayerEnergy {
  readonly name: string;
  /** pJ, one for each of the chart's parts. */
  readonly partsPj: readonly number[];
}

export interface EnergyUnit {
  readonly name: string;
  readonly pj: number;
}

const UNITS: readonly EnergyUnit[] = [
  { name: "J", pj: 1e12 },
  { name: "mJ", pj: 1e9 },
  { name: "µJ", pj: 1e6 },
  { name: "nJ", pj: 1e3 },
];
const SMALLEST: EnergyUnit = { name: "pJ", pj: 1 };

/** The unit in which a number of picojoules has at least one digit before the point. */
export function energyUnit(pj: number): EnergyUnit {
  return UNITS.find((unit) => pj >= unit.pj) ?? SMALLEST;
}

/** @param parts what each layer's energies are of, in order */
export function energyChart(
  parts: readonly string[],
  layers: readonly LayerEnergy[],
): Pick<BarChart, "description" | "axis" | "parts" | "bars"> {
  const totals = layers.map(({ partsPj }) => partsPj.reduce((sum, part) => sum + part, 0));
  const unit = energyUnit(Math.max(0, ...totals));
  const bars = layers.map(({ name, partsPj }, i): Bar => {
    const label = `${shown((totals[i] ?? 0) / unit.pj)} ${unit.name}`;
    return { name, values: partsPj.map((pj) => pj / unit.pj), label };
  });
  const lines = bars.map(({ name, values, label }) => {
    const pieces = values.map((value, i) => `${parts[i] ?? ""} ${shown(value)}`).join(", ");
    return `${name}: ${label} (${pieces}).`;
  });
  return { description: `Energy per layer. ${lines.join(" ")}`, axis: `energy, ${unit.name}`, parts, bars };
}

/** Three digits. */
function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
