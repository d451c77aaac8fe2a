/** The chart of `vdnn infer`: energy of every layer, by part. */
import { ENERGY_PARTS, type EnergyPart } from "../accelerator/cost.ts";
import type { BarChart } from "../report/bar-chart.ts";
import { energyChart } from "../report/energy-chart.ts";
import { formatMs } from "../units.ts";
import { digits } from "./infer-text.ts";
import type { InferFacts } from "./infer.ts";

const PART_TITLES: Readonly<Record<EnergyPart, string>> = {
  dram: "DRAM",
  buffer: "buffer",
  array: "array",
  registers: "registers",
  arithmetic: "arithmetic",
  static: "static",
};

export function inferenceChart({ subject, machine, batch, settings, model, run, cost }: InferFacts): BarChart {
  const { totals, layers } = cost;
  const parts = ENERGY_PARTS.filter((part) => totals.energyPj[part] > 0);
  const densities = run === null ? "stated densities" : "densities of a real inference";
  return {
    title: `${subject.name} on ${machine.name}, batch ${batch}: energy per layer, modelled`,
    notes: [
      `${model.about}; ${settings.precision}, ${densities}`,
      `energy table ${settings.energy.name}; ${digits(totals.framesPerJoule)} frames/J, ` +
        `${digits(totals.framesPerSecond)} frames/s, ${formatMs(totals.totalMs)}`,
    ],
    ...energyChart(
      parts.map((part) => PART_TITLES[part]),
      layers.map((result) => ({
        name: result.cost.layer.name,
        partsPj: parts.map((part) => result.cost.energyPj[part]),
      })),
    ),
  };
}
