/** The machines that `vdnn infer` can run a network on, by name, and the cost model of each. */
import { arithmeticOf, type Accumulation } from "../arithmetic/arithmetic.ts";
import { type AcceleratorName, PRESETS } from "../backend/presets.ts";
import { DATAFLOWS } from "../dataflows/index.ts";
import type { AcceleratorEnergy, Precision } from "../energy.ts";
import { findByName, type Named } from "../../simulator/names.ts";
import { dataflowModel } from "./dataflow-model.ts";
import { eieModel } from "./eie-model.ts";
import { eyerissModel } from "./eyeriss-model.ts";
import { idealDenseModel } from "./ideal-dense.ts";
import type { CostModel } from "./model.ts";

export interface Machine extends Named {
  /** Whose arithmetic computes the outputs, and which layers the accelerator takes. */
  readonly arithmetic: AcceleratorName;
  /** Its time depends on where the zeros are. */
  readonly needsOperands: boolean;
}

export const MACHINES: readonly Machine[] = [
  { name: "eyeriss", arithmetic: "eyeriss", needsOperands: false },
  { name: "eie", arithmetic: "eie", needsOperands: true },
  { name: "ideal-dense", title: "dense", arithmetic: "eyeriss", needsOperands: false },
  ...DATAFLOWS.map(({ name, title }) => ({ name, title, arithmetic: "eyeriss", needsOperands: false }) as const),
];

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function machineNamed(name: string): Machine {
  return findByName("accelerator", MACHINES, name);
}

/** Size of a rectangular array, or a number of elements where the machine has no rows. */
export type Pes = number | { readonly rows: number; readonly columns: number };

export interface MachineSettings {
  readonly energy: AcceleratorEnergy;
  readonly precision: Precision;
  readonly accumulate: Accumulation;
  /** Default the machine's own. */
  readonly pes?: Pes | undefined;
  /** Registers of EIE's activation queues. Default 8. */
  readonly fifo?: number | undefined;
  /** Of random layers, where nothing ran. */
  readonly seed: number;
}

/**
 * The machine's own precision unless another is asked for, and sums as wide as its preset has them or, at another precision, the widest.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for names that do not exist or do not go together
 */
export function precisionOf(
  machine: Machine,
  precision?: string,
  accumulate?: string,
): Pick<MachineSettings, "precision" | "accumulate"> {
  const preset = PRESETS[machine.arithmetic];
  const chosen = precision ?? preset.precision;
  const arithmetic = arithmeticOf(chosen, accumulate ?? (chosen === preset.precision ? preset.accumulate : undefined));
  return { precision: arithmetic.precision, accumulate: arithmetic.accumulate };
}

/** @throws VdnnError `ERR_INVALID_OPTION` for settings that the machine cannot have */
export function costModelOf({ name }: Machine, settings: MachineSettings): CostModel {
  if (name === "eyeriss") return eyerissModel(settings);
  if (name === "eie") return eieModel(settings);
  if (name === "ideal-dense") return idealDenseModel(settings);
  return dataflowModel(name, settings);
}
