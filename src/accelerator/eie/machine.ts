/**
 * EIE as built in Han et al., ISCA 2016: sizes, clock and the power of one processing element by part. All of it is data that
 * the simulator takes as a parameter.
 */
import { KIB } from "../../units.ts";
import { invalidEie } from "./invalid.ts";

export interface EieMachine {
  /** Processing elements; row i belongs to element i mod `pes`. Also the width of one line of activations. */
  readonly pes: number;
  readonly clockMhz: number;
  /** Registers of the activation queue before each element. It is a ring that holds one less. */
  readonly fifoRegisters: number;
  /** Of a code and of a zero run; both are 4 in the chip. */
  readonly codeBits: number;
  readonly zeroRunBits: number;
  /** Entries in one line of the sparse-matrix SRAM: 64 bits of 4 + 4. */
  readonly entriesPerLine: number;
  /** Of one element: sparse-matrix SRAM, both pointer banks, and the SRAM that backs its activation registers. */
  readonly matrixBytes: number;
  readonly pointerBytes: number;
  readonly activationBytes: number;
  /**
   * To load what does not fit, GB/s (1e9). Not of the paper, which has no DRAM once a layer is loaded: one 32-bit channel of
   * LPDDR3-1600.
   */
  readonly dramGBps: number;
}

export const EIE: EieMachine = {
  pes: 64,
  clockMhz: 800,
  fifoRegisters: 8,
  codeBits: 4,
  zeroRunBits: 4,
  entriesPerLine: 8,
  matrixBytes: 128 * KIB,
  pointerBytes: 2 * 16 * KIB,
  activationBytes: 2 * KIB,
  dramGBps: 6.4,
};

/** One processing element at 45 nm, 800 MHz, after layout, mW (ISCA 2016, table II). */
export const PE_MW = {
  activationQueue: 0.112,
  pointerRead: 1.807,
  matrixRead: 4.955,
  arithmetic: 1.162,
  activationAccess: 1.122,
} as const;

/** As printed; the parts sum to 9.158. */
export const PE_TOTAL_MW = 9.157;

/** The whole chip, 586 mW for 64 elements. The paper's energies are this, whatever the layer does, times its time. */
export function chipMwOf({ pes }: EieMachine): number {
  return pes * PE_TOTAL_MW;
}

export function msOf({ clockMhz }: EieMachine, cycles: number): number {
  return cycles / (clockMhz * 1e3);
}

/** Elements that the simulator takes, each with a pointer per column; the paper goes up to 256 (figure 11). */
const MOST_PES = 4096;

/** @throws VdnnError `ERR_INVALID_OPTION`, also for a queue of one register: it holds nothing, so the layer would never end. */
export function checkMachine(machine: EieMachine): void {
  for (const name of ["pes", "fifoRegisters", "codeBits", "zeroRunBits", "entriesPerLine"] as const) {
    const value = machine[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw invalidEie(name, `expected a whole number of at least 1, got ${value}`, { got: value });
    }
  }
  if (machine.pes > MOST_PES) {
    throw invalidEie("pes", `expected at most ${MOST_PES} elements, got ${machine.pes}`, { got: machine.pes });
  }
  for (const name of ["clockMhz", "dramGBps"] as const) {
    const value = machine[name];
    if (!Number.isFinite(value) || value <= 0) throw invalidEie(name, `expected a positive number, got ${value}`);
  }
  for (const name of ["codeBits", "zeroRunBits"] as const) {
    if (machine[name] > 8) throw invalidEie(name, `expected at most 8, got ${machine[name]}`);
  }
  if (machine.fifoRegisters === 1) {
    throw invalidEie(
      "fifo",
      "a queue of 1 register is a ring that holds 0 activations, so the layer would never finish; give 2 or more",
      { got: 1 },
    );
  }
}
