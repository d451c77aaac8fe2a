/** The cost of a machine of which only counts are known: all elements multiply in every cycle, and DRAM's link is Eyeriss's. A bound. */
import { energyOf } from "../account.ts";
import type { LayerCost } from "../cost.ts";
import type { EyerissHardware } from "../eyeriss/hardware.ts";
import { linkMs } from "../eyeriss/score.ts";
import { type LayerShape, macsOf } from "../layer.ts";
import type { MachineSettings } from "./machines.ts";

export interface CountedMachine extends Pick<MachineSettings, "energy" | "precision" | "accumulate"> {
  readonly pes: number;
  readonly hardware: EyerissHardware;
  /** Of the words that were counted. */
  readonly wordBits: number;
}

/** Nothing is gated, skipped or compressed. */
export function boundCost(
  layer: LayerShape,
  accesses: LayerCost["accesses"],
  { energy, precision, accumulate, pes, hardware, wordBits }: CountedMachine,
): LayerCost {
  const macs = macsOf(layer);
  const cycles = macs / pes;
  const processingMs = cycles / (hardware.coreMHz * 1e3);
  const bytes = (accesses.dram * wordBits) / 8;
  return {
    layer,
    cycles,
    processingMs,
    totalMs: Math.max(processingMs, linkMs(accesses.dram, hardware)),
    activePes: pes,
    utilization: 1,
    macs,
    gatedMacs: 0,
    skippedMacs: 0,
    accesses,
    energyPj: energyOf({ accesses, wordBits, activeMacs: macs, precision, accumulate, ms: processingMs }, energy),
    dramBytes: { uncompressed: bytes, compressed: bytes },
    chipMw: null,
  };
}
