/**
 * The dataflows of Chen, Emer, Sze, ISCA 2016, on arrays of the same area. The framework counts accesses and has no notion of time, so
 * time is a bound: what the elements need if all of them work, or what DRAM's link needs for the words that the dataflow moves.
 */
import { VdnnError } from "../../errors.ts";
import { sameArea } from "../dataflows/area.ts";
import { cheapest } from "../dataflows/dataflow.ts";
import { dataflowNamed } from "../dataflows/index.ts";
import { EYERISS_CHIP } from "../eyeriss/hardware.ts";
import { boundCost } from "./bound.ts";
import type { MachineSettings } from "./machines.ts";
import type { CostModel } from "./model.ts";
import { arrayOf } from "./pes.ts";
import { requirePlain } from "./plain.ts";

/** The framework's memories are in words of 16 bits. */
const WORD_BITS = 16;

export function dataflowModel(name: string, { energy, precision, accumulate, pes: asked }: MachineSettings): CostModel {
  if (precision !== "int16" && precision !== "fp16") {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `precision: the dataflows' memories are counted in words of 16 bits: expected int16 or fp16 for ${name}, got ${precision}`,
      { option: "precision", got: precision },
    );
  }
  const dataflow = dataflowNamed(name);
  const array = sameArea(dataflow, asked === undefined ? {} : arrayOf(name, asked));
  const pes = array.rows * array.columns;
  const { coreMHz } = EYERISS_CHIP;
  return {
    about: `${array.rows} × ${array.columns} elements with ${array.registerWords} words of registers, ${array.bufferWords} words of buffer`,
    hardware: { ...array, coreMHz, wordBits: WORD_BITS },
    notes: [
      `${name}: accesses by the framework of ISCA 2016, at the mapping of least energy by its table IV, on the area that row stationary ` +
        "has with 512 B of registers per element; nothing is gated, skipped or compressed.",
      `The framework has no time: cycles are MACs over elements, at ${coreMHz} MHz, and ms what they or Eyeriss's link to DRAM take; a bound.`,
    ],
    cost({ shape }) {
      requirePlain(shape);
      const found = cheapest(dataflow, shape, array);
      if (found === null) {
        throw new VdnnError("ERR_UNSUPPORTED_LAYER", `${shape.name} does not fit the memories of ${name}`, {
          layer: shape.name,
        });
      }
      const counted = { energy, precision, accumulate, pes, hardware: EYERISS_CHIP, wordBits: WORD_BITS };
      const cost = boundCost(shape, found.accesses, counted);
      return { cost, details: { kind: "counted" } };
    },
  };
}
