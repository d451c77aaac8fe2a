/**
 * The baseline that knows no zeros and loses nothing else: every element multiplies in every cycle, every word crosses the link to
 * DRAM once, transfers hide behind the arithmetic as far as the link allows. No real dense machine of this size and link is faster.
 */
import { eyerissHardware, withPrecision } from "../eyeriss/hardware.ts";
import { inputsOf, macsOf, outputsOf, weightsOf } from "../layer.ts";
import { boundCost } from "./bound.ts";
import type { MachineSettings } from "./machines.ts";
import type { CostModel } from "./model.ts";
import { countOf } from "./pes.ts";

export function idealDenseModel({ energy, precision, accumulate, pes: asked }: MachineSettings): CostModel {
  const hardware = withPrecision(eyerissHardware(), precision);
  const { coreMHz, linkMHz, portBits, wordBits } = hardware;
  const pes = countOf(asked ?? hardware);
  return {
    about: `${pes} multipliers at ${coreMHz} MHz, ${(portBits * linkMHz) / 8} MB/s to DRAM, as Eyeriss has`,
    hardware: { pes, coreMHz, linkMHz, portBits, wordBits },
    notes: [
      "ideal-dense: an ideal machine that computes every MAC, zero or not, in all elements in every cycle and moves every word " +
        "of inputs, weights and outputs over DRAM and through the buffer once, uncompressed. A bound, not a design.",
    ],
    cost({ shape }) {
      const dram = inputsOf(shape) + weightsOf(shape) + outputsOf(shape);
      // Into the buffer and out of it; two operands, the sum read and written.
      const accesses = { dram, buffer: 2 * dram, array: 0, registers: 4 * macsOf(shape) };
      const cost = boundCost(shape, accesses, { energy, precision, accumulate, pes, hardware, wordBits });
      return { cost, details: { kind: "counted" } };
    },
  };
}
