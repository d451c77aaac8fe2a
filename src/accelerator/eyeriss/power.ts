/**
 * Power of the Eyeriss chip, fitted: four constants by relative least squares over the 18 layers of JSSC 2017, tables V and VI,
 * from those tables' own MACs, zeros, buffer traffic and processing time. It is the chip's, at 65 nm and 1.0 V with DRAM not
 * counted, and has nothing to do with the energy tables that models take.
 */
import { fitRelative, leaveOneOut, type Observation } from "./least-squares.ts";

export interface PowerFit {
  /** A MAC whose input is not zero, with its register accesses. */
  readonly activeMacPj: number;
  /** Any MAC that took a cycle. */
  readonly macPj: number;
  /** One word of the buffer. */
  readonly bufferWordPj: number;
  /** Clock tree and leakage. */
  readonly staticMw: number;
}

/** What `fitPower` gives on the published tables, rounded; a test repeats it. */
export const CHIP_POWER: PowerFit = { activeMacPj: 5.12, macPj: 0.6, bufferWordPj: 10.3, staticMw: 187 };

export interface PowerInputs {
  readonly activeMacs: number;
  readonly macs: number;
  readonly bufferWords: number;
  readonly processingMs: number;
}

export interface MeasuredPower extends PowerInputs {
  readonly milliwatts: number;
}

// 1 pJ in 1 ms is 1e-6 mW.
const MW_PER_PJ_PER_MS = 1e-6;

export function chipMilliwatts(fit: PowerFit, { activeMacs, macs, bufferWords, processingMs }: PowerInputs): number {
  const pj = fit.activeMacPj * activeMacs + fit.macPj * macs + fit.bufferWordPj * bufferWords;
  return (pj * MW_PER_PJ_PER_MS) / processingMs + fit.staticMw;
}

export function fitPower(layers: readonly MeasuredPower[]): PowerFit {
  const [activeMacPj = 0, macPj = 0, bufferWordPj = 0, staticMw = 0] = fitRelative(layers.map(observation));
  return { activeMacPj, macPj, bufferWordPj, staticMw };
}

/** Relative error of each layer's power under the fit of the others. */
export function powerErrorsLeftOut(layers: readonly MeasuredPower[]): number[] {
  return leaveOneOut(layers.map(observation));
}

function observation({ activeMacs, macs, bufferWords, processingMs, milliwatts }: MeasuredPower): Observation {
  const perMs = MW_PER_PJ_PER_MS / processingMs;
  return { features: [activeMacs * perMs, macs * perMs, bufferWords * perMs, 1], value: milliwatts };
}
