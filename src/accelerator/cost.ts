/**
 * What running one layer on an accelerator costs, the type that every model fills and every table and chart reads. Counts come
 * from the model; energies from those counts and an energy table that is passed in (energy.ts).
 */
import type { LayerShape } from "./layer.ts";

/** From far to near: off-chip memory, on-chip buffer, neighbour in the array, registers beside the multiplier. */
export const MEMORY_LEVELS = ["dram", "buffer", "array", "registers"] as const;
export type MemoryLevel = (typeof MEMORY_LEVELS)[number];

/** Where energy goes: a memory level, the arithmetic, or what runs with the clock whether used or not. */
export type EnergyPart = MemoryLevel | "arithmetic" | "static";
export const ENERGY_PARTS: readonly EnergyPart[] = [...MEMORY_LEVELS, "arithmetic", "static"];

export interface LayerCost {
  readonly layer: LayerShape;
  /** Core clock cycles in which the layer is processed. */
  readonly cycles: number;
  /** `cycles` at the core's clock. */
  readonly processingMs: number;
  /** With what of the off-chip transfers is not hidden behind processing. */
  readonly totalMs: number;
  /** Processing elements with work, on average while the array is mapped. */
  readonly activePes: number;
  /** MACs that took a cycle, over cycles times all processing elements; 0 to 1. */
  readonly utilization: number;
  /** Of the dense layer. */
  readonly macs: number;
  /** Took their cycle, but no arithmetic: an operand was zero. */
  readonly gatedMacs: number;
  /** Took neither. */
  readonly skippedMacs: number;
  /** Words moved at each level, reads and writes. */
  readonly accesses: Readonly<Record<MemoryLevel, number>>;
  readonly energyPj: Readonly<Record<EnergyPart, number>>;
  /** Bytes to and from DRAM, as they would be and as they are. */
  readonly dramBytes: { readonly uncompressed: number; readonly compressed: number };
  /** Of the chip, DRAM not counted, over `processingMs`, where the model has a measured basis for it; else null. */
  readonly chipMw: number | null;
}
