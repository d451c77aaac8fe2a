/** The result of talk.ts and its tables. Nothing is trained or modelled here. */
import { ENERGY_PARTS, type EnergyPart } from "../src/accelerator/cost.ts";
import { energyUnit } from "../src/report/energy-chart.ts";
import { formatBytes } from "../src/units.ts";
import type { Environment, Table } from "./harness.ts";

/** Of one frame. */
export interface FrameCost {
  readonly dramBytes: number;
  readonly energyPj: Readonly<Record<EnergyPart, number>>;
  readonly framesPerSecond: number;
}

export interface TalkStage extends FrameCost {
  /** What was done to the network, and what it runs on. */
  readonly name: string;
  readonly machine: string;
  /** Of the images, on the machine's own arithmetic; 0 to 1. */
  readonly accuracy: number;
  /** Of all weights as they are stored. */
  readonly bytes: number;
}

export interface ShapeRow extends FrameCost {
  readonly network: string;
  readonly parameters: number;
  readonly macs: number;
}

export interface TalkResult {
  readonly schema: "vdnn-bench-talk/1";
  readonly question: string;
  readonly environment: Environment;
  readonly network: string;
  readonly data: string;
  readonly trainImages: number;
  /** That ran on every machine. */
  readonly frames: number;
  readonly parameters: number;
  readonly kept: number;
  /** Name of the table. */
  readonly energy: string;
  readonly deviceMemory: string;
  readonly peakDeviceBytes: number;
  readonly stages: readonly TalkStage[];
  readonly shapes: readonly ShapeRow[];
}

export function energySum({ energyPj }: FrameCost): number {
  return ENERGY_PARTS.reduce((sum, part) => sum + energyPj[part], 0);
}

export function talkTables(result: TalkResult): Table[] {
  return [stageTable(result), shapeTable(result)];
}

function stageTable(result: TalkResult): Table {
  const { network, data, trainImages, frames, parameters, kept, energy, deviceMemory, peakDeviceBytes, stages } =
    result;
  const first = stages[0];
  return {
    caption:
      `${network}, ${parameters} weights, trained on ${trainImages} of ${data} in ${deviceMemory} of device memory (peak ` +
      `${formatBytes(peakDeviceBytes)}), pruned to ${(kept * 100).toFixed(1)} %. Accuracy is measured: ${frames} other images on each ` +
      `machine's own arithmetic. Sizes are counted, the last is a file's. DRAM traffic, energy and frames/s are modelled, for one frame at a time; energies: table ${energy}. ` +
      "Row stationary: Eyeriss's array without its gating and coding. EIE's matrices rest in its SRAM; loading them once is not counted." +
      (stages.at(-1)?.machine === "EIE"
        ? ""
        : " In the last row EIE's layers are on its arithmetic, convolutions in FP32."),
    header: ["network", "machine", "accuracy", "size", "DRAM/frame", "energy/frame", "of it DRAM", "less", "frames/s"],
    rows: stages.map((stage) => [
      stage.name,
      stage.machine,
      `${(stage.accuracy * 100).toFixed(1)} %`,
      formatBytes(stage.bytes),
      formatBytes(stage.dramBytes),
      energyText(energySum(stage)),
      `${((100 * stage.energyPj.dram) / energySum(stage)).toFixed(0)} %`,
      first === undefined ? "" : `${(energySum(first) / energySum(stage)).toFixed(1)} x`,
      count(stage.framesPerSecond),
    ]),
  };
}

function shapeTable({ shapes, energy }: TalkResult): Table {
  return {
    caption:
      "The other way, fewer weights from the start: SqueezeNet has AlexNet's accuracy (published). Modelled from shapes on Eyeriss, one " +
      `frame at a time, no zeros assumed; energies: table ${energy}.`,
    header: ["network", "weights", "16-bit size", "MMACs", "DRAM/frame", "energy/frame", "frames/s"],
    rows: shapes.map((row) => [
      row.network,
      count(row.parameters),
      formatBytes(2 * row.parameters),
      count(row.macs / 1e6),
      formatBytes(row.dramBytes),
      energyText(energySum(row)),
      row.framesPerSecond.toFixed(1),
    ]),
  };
}

export function energyText(pj: number): string {
  const unit = energyUnit(pj);
  const value = pj / unit.pj;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit.name}`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
