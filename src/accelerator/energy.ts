/**
 * Energy per access and per operation, as data. Models take a table as a parameter; `vdnn infer --energy FILE` reads one from a
 * file (`vdnn-accelerator-energy/1`). The tables that come with vdnn are in energy-data.ts.
 */
import type { MemoryLevel } from "./cost.ts";

export const PRECISIONS = ["fp32", "fp16", "int16", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface AcceleratorEnergy {
  readonly schema: "vdnn-accelerator-energy/1";
  readonly name: string;
  readonly source: string;
  /** Width of the word that `accessPj` counts, bits; a narrower datum costs in proportion. */
  readonly wordBits: number;
  readonly accessPj: Readonly<Record<MemoryLevel, number>>;
  /** One multiplication at each precision. */
  readonly multiplyPj: Readonly<Record<Precision, number>>;
  /** One addition at each precision of accumulation. */
  readonly addPj: Readonly<Record<Precision | "int32", number>>;
  /** Power that is drawn whether used or not, mW; 0 where the table says nothing of it. */
  readonly staticMw: number;
}
