/**
 * Energy tables that come with vdnn, as data, each number with its source. A file in the same form does as well
 * (energy-file.ts); no model has an energy of its own.
 */
import { findByName } from "../simulator/names.ts";
import type { AcceleratorEnergy } from "./energy.ts";

/**
 * Horowitz, ISSCC 2014, 45 nm, 0.9 V, pJ per operation. The 16-bit multiplication is not in it: it is interpolated, a quarter of
 * the 32-bit one, as a multiplier's area and energy grow with the square of its width (four times the 8-bit one gives 0.8).
 */
const HOROWITZ = {
  multiplyPj: { fp32: 3.7, fp16: 1.1, int16: 0.775, int8: 0.2 },
  addPj: { fp32: 0.9, fp16: 0.4, int32: 0.1, int16: 0.05, int8: 0.03 },
} as const;

/** The unit of Eyeriss's normalized energies, one 16-bit MAC, in pJ: Horowitz's multiplication and 32-bit addition. */
export const MAC_UNIT_PJ: number = HOROWITZ.multiplyPj.int16 + HOROWITZ.addPj.int32;

/** Chen, Emer, Sze, ISCA 2016, table IV: an access of one 16-bit word at each level, in MACs. */
export const EYERISS_NORMALIZED = { dram: 200, buffer: 6, array: 2, registers: 1, mac: 1 } as const;

export const ACCELERATOR_ENERGY: readonly AcceleratorEnergy[] = [
  {
    schema: "vdnn-accelerator-energy/1",
    name: "eyeriss-normalized",
    source:
      "Chen, Emer, Sze, ISCA 2016, table IV: DRAM 200, buffer 6, array 2, register file 1, in units of one 16-bit MAC. The " +
      `unit is taken as ${MAC_UNIT_PJ} pJ, Horowitz's 45 nm figures for a 16-bit multiplication (interpolated) and a 32-bit addition`,
    wordBits: 16,
    accessPj: {
      dram: EYERISS_NORMALIZED.dram * MAC_UNIT_PJ,
      buffer: EYERISS_NORMALIZED.buffer * MAC_UNIT_PJ,
      array: EYERISS_NORMALIZED.array * MAC_UNIT_PJ,
      registers: EYERISS_NORMALIZED.registers * MAC_UNIT_PJ,
    },
    ...HOROWITZ,
    staticMw: 0,
  },
  {
    schema: "vdnn-accelerator-energy/1",
    name: "horowitz-45nm",
    source:
      "Horowitz, ISSCC 2014, 45 nm, 0.9 V, per 32-bit word as Han et al., ISCA 2016, table I uses it: DRAM 640 (LPDDR2, the low " +
      "end of 1300 to 2600 pJ per 64 bits), 32 KB SRAM 5, register file 1. A hop in the array has no figure there and costs 0",
    wordBits: 32,
    accessPj: { dram: 640, buffer: 5, array: 0, registers: 1 },
    ...HOROWITZ,
    staticMw: 0,
  },
  {
    schema: "vdnn-accelerator-energy/1",
    name: "lpddr-640-50-5",
    source:
      "Per 32-bit word: LPDDR 640 pJ, SRAM of MBs 50 pJ (Horowitz: 1 MB, 100 pJ per 64 bits), SRAM of KBs 5 pJ (8 KB, 10 pJ per " +
      "64 bits). The buffer is taken as MBs, what stands beside a multiplier as KBs; a hop in the array costs 0",
    wordBits: 32,
    accessPj: { dram: 640, buffer: 50, array: 0, registers: 5 },
    ...HOROWITZ,
    staticMw: 0,
  },
];

export const DEFAULT_ENERGY = "eyeriss-normalized";

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function energyNamed(name: string = DEFAULT_ENERGY): AcceleratorEnergy {
  return findByName("energy", ACCELERATOR_ENERGY, name);
}
