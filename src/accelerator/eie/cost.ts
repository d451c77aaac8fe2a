/**
 * What a run on EIE costs, in two ways that are kept apart: accesses times an energy table, as for every accelerator here, and the
 * published power of each part times the time, as the paper does.
 */
import { defaultAccumulator, energyOf, PJ_PER_MW_MS } from "../account.ts";
import type { LayerCost, MemoryLevel } from "../cost.ts";
import type { AcceleratorEnergy, Precision } from "../energy.ts";
import { type LayerShape, macsOf, matrixShape } from "../layer.ts";
import { biasEntriesOf, type EieLayer } from "./layer.ts";
import { chipMwOf, EIE, type EieMachine, msOf, PE_MW } from "./machine.ts";
import type { EieCounts } from "./simulate.ts";
import { type Storage, storageOf, WORD_BITS } from "./storage.ts";

export interface EieCostOptions {
  readonly energy: AcceleratorEnergy;
  /** Of the multiplication. Default `int16`, the chip's 16-bit fixed point. */
  readonly precision?: Precision;
  /** Default: `int32` for integers, `fp32` for floating point. */
  readonly accumulate?: Precision | "int32";
  readonly machine?: EieMachine;
  /** Products that `counts` are of: maps of a batch times output positions. Default: by the shape. */
  readonly vectors?: number;
}

export interface EieCost extends LayerCost {
  /** `PE_MW` times elements times processing time. */
  readonly publishedPj: Readonly<Record<keyof typeof PE_MW, number>>;
  readonly storage: Storage;
}

export function eieCost(shape: LayerShape, layer: EieLayer, counts: EieCounts, options: EieCostOptions): EieCost {
  const { energy, precision = "int16", machine = EIE } = options;
  const { accumulate = defaultAccumulator(precision) } = options;
  const { vectors = shape.batch * shape.outputHeight * shape.outputWidth } = options;
  const storage = storageOf(layer, machine);
  const processingMs = msOf(machine, counts.cycles);
  const dramBytes = {
    uncompressed: storage.fits ? 0 : storage.denseBytes * vectors,
    compressed: storage.fits ? 0 : storage.layerBytes * vectors,
  };
  const accesses = accessesOf(counts, machine, dramBytes.compressed);
  const slots = counts.cycles * machine.pes;
  const utilization = slots === 0 ? 0 : counts.work / slots;
  return {
    layer: shape,
    cycles: counts.cycles,
    processingMs,
    // Nothing on the chip could hold the next block while one is worked on, so loading is not hidden.
    totalMs: processingMs + dramBytes.compressed / (machine.dramGBps * 1e6),
    activePes: utilization * machine.pes,
    utilization,
    ...macsOfRun(shape, layer, counts, vectors),
    accesses,
    energyPj: energyOf(
      {
        accesses,
        wordBits: WORD_BITS,
        // Fillers too: the paper's multiplier has no gate for them.
        activeMacs: counts.work,
        precision,
        accumulate,
        ms: processingMs,
      },
      energy,
    ),
    dramBytes,
    chipMw: chipMwOf(machine),
    publishedPj: publishedPj(machine, processingMs),
    storage,
  };
}

/** A filler takes the place of a zero weight: its MAC has a cycle, to no effect. What zeros elsewhere need has none. */
function macsOfRun(
  shape: LayerShape,
  layer: EieLayer,
  { work, zeroWork }: EieCounts,
  vectors: number,
): Pick<LayerCost, "macs" | "gatedMacs" | "skippedMacs"> {
  const macs = macsOf(shape);
  const bias = biasEntriesOf(layer);
  return { macs, gatedMacs: zeroWork - bias.zero * vectors, skippedMacs: macs - (work - bias.entries * vectors) };
}

/** In words of 16 bits. */
function accessesOf(counts: EieCounts, machine: EieMachine, dramBytes: number): Record<MemoryLevel, number> {
  const { pes, entriesPerLine, codeBits, zeroRunBits } = machine;
  const wordsPerLine = (entriesPerLine * (codeBits + zeroRunBits)) / WORD_BITS;
  /** An activation and its column, to every element. */
  const delivered = 2 * counts.broadcasts * pes;
  return {
    dram: (dramBytes * 8) / WORD_BITS,
    // Two pointers for each column and element.
    buffer: counts.matrixLines * wordsPerLine + 2 * counts.broadcasts * pes,
    array: delivered,
    // Into the queue and out of it; lines of activations; each sum read, but for those from the bypass, and written.
    registers: 2 * delivered + counts.activationLines * pes + 2 * counts.work - counts.bypasses,
  };
}

function publishedPj({ pes }: EieMachine, ms: number): Record<keyof typeof PE_MW, number> {
  const pj = (mw: number): number => mw * pes * ms * PJ_PER_MW_MS;
  return {
    activationQueue: pj(PE_MW.activationQueue),
    pointerRead: pj(PE_MW.pointerRead),
    matrixRead: pj(PE_MW.matrixRead),
    arithmetic: pj(PE_MW.arithmetic),
    activationAccess: pj(PE_MW.activationAccess),
  };
}

/** A matrix-vector product as the shape that costs are kept by. */
export function shapeOf({ name, inputs, outputs, bias }: EieLayer, batch = 1): LayerShape {
  return { name, ...matrixShape(batch, inputs, outputs), bias };
}
