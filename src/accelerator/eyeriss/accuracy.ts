/**
 * How close the model comes to the chip: every layer of JSSC 2017, tables V and VI, beside what is counted for it, and the power fit
 * tested on layers that it has not seen.
 *
 * AlexNet's rows are predicted from published mappings (with `passCycles` fitted on VGG-16); VGG-16's mappings are inferred from
 * the same table, so its rows show that one mapping explains four columns, not that they were foreseen.
 */
import { energyNamed } from "../energy-data.ts";
import { macsOf } from "../layer.ts";
import { type CostTotals, totalsOf } from "../totals.ts";
import { type EyerissCost, eyerissCost } from "./cost.ts";
import {
  ALEXNET_TOTAL,
  MB_BUFFER,
  MB_DRAM,
  MEASURED_ALEXNET,
  MEASURED_VGG16,
  type MeasuredLayer,
  type MeasuredTotal,
  VGG16_TOTAL,
} from "./measured.ts";
import { fitPower, type MeasuredPower, type PowerFit, powerErrorsLeftOut } from "./power.ts";
import { ALEXNET, type PublishedLayer, VGG16 } from "./published.ts";

/** Bytes of a word on the chip. */
const WORD_BYTES = 2;

/** The columns that are compared, in the tables' units. */
export interface Figures {
  readonly processingMs: number;
  readonly totalMs: number;
  readonly bufferMB: number;
  readonly dramMB: number;
  readonly powerMw: number;
  readonly activePes: number;
}

export interface LayerAccuracy {
  readonly layer: string;
  readonly origin: EyerissCost["mappingOrigin"];
  readonly modelled: Figures;
  readonly measured: MeasuredLayer;
  /** Modelled over measured, less 1. */
  readonly errors: Figures;
}

export interface NetworkAccuracy {
  readonly network: string;
  readonly batch: number;
  readonly layers: readonly LayerAccuracy[];
  readonly totals: CostTotals;
  readonly measured: MeasuredTotal;
}

export function networkAccuracy(network: "alexnet" | "vgg-16"): NetworkAccuracy {
  const isAlexnet = network === "alexnet";
  const published = isAlexnet ? ALEXNET : VGG16;
  const rows = isAlexnet ? MEASURED_ALEXNET : MEASURED_VGG16;
  const energy = energyNamed();
  const costs = published.map(({ shape, densities }) => eyerissCost(shape, { energy, densities }));
  const batch = published[0]?.shape.batch ?? 1;
  return {
    network,
    batch,
    layers: costs.map((cost, i) => layerAccuracy(cost, rows[i] as MeasuredLayer)),
    totals: totalsOf(costs, batch),
    measured: isAlexnet ? ALEXNET_TOTAL : VGG16_TOTAL,
  };
}

export function layerAccuracy(cost: EyerissCost, measured: MeasuredLayer): LayerAccuracy {
  const modelled: Figures = {
    processingMs: cost.processingMs,
    totalMs: cost.totalMs,
    bufferMB: (cost.accesses.buffer * WORD_BYTES) / MB_BUFFER,
    dramMB: cost.dramBytes.compressed / MB_DRAM,
    powerMw: cost.chipMw ?? Number.NaN,
    activePes: cost.activePes,
  };
  const errors = Object.fromEntries(
    Object.entries(modelled).map(([column, value]) => [column, value / measured[column as keyof Figures] - 1]),
  ) as unknown as Figures;
  return { layer: measured.layer, origin: cost.mappingOrigin, modelled, measured, errors };
}

export interface PowerAccuracy {
  readonly fit: PowerFit;
  /** Relative, one per layer, AlexNet's first, each under the fit of the 17 others. */
  readonly leftOut: readonly number[];
}

/** From the tables' own columns alone: nothing of the model is in it. */
export function powerAccuracy(): PowerAccuracy {
  const layers = [...measuredPower(ALEXNET, MEASURED_ALEXNET), ...measuredPower(VGG16, MEASURED_VGG16)];
  return { fit: fitPower(layers), leftOut: powerErrorsLeftOut(layers) };
}

function measuredPower(published: readonly PublishedLayer[], rows: readonly MeasuredLayer[]): MeasuredPower[] {
  return rows.map(({ zeroShare, bufferMB, processingMs, powerMw }, i) => {
    const { shape } = published[i] as PublishedLayer;
    const macs = macsOf(shape);
    const bufferWords = (bufferMB * MB_BUFFER) / WORD_BYTES;
    return { macs, activeMacs: macs * (1 - zeroShare), bufferWords, processingMs, milliwatts: powerMw };
  });
}

/** Mean and greatest of the errors' sizes. */
export function sizeOfErrors(errors: readonly number[]): { readonly mean: number; readonly greatest: number } {
  const sizes = errors.map(Math.abs);
  return { mean: sizes.reduce((sum, size) => sum + size, 0) / sizes.length, greatest: Math.max(...sizes) };
}
