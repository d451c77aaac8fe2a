/**
 * The row-stationary accelerator as data: array, memories, clocks, and the two constants of its timing that are fitted. The
 * chip's are those of Chen, Krishna, Emer, Sze, JSSC 2017, table IV and section V.
 */
import { VdnnError } from "../../errors.ts";
import type { Precision } from "../energy.ts";
import type { PowerFit } from "./power.ts";
import { CHIP_POWER } from "./power.ts";

export interface EyerissHardware {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly coreMHz: number;
  readonly linkMHz: number;
  /** Width of the link to DRAM and of each port of the buffer, bits. */
  readonly portBits: number;
  readonly wordBits: number;
  /** For maps and partial sums; filters wait in a part of their own. */
  readonly bufferBytes: number;
  /** Words per processing element. */
  readonly filterSpad: number;
  readonly inputSpad: number;
  readonly sumSpad: number;
  /**
   * Cycles in which a pass is set up and drained. Fitted: what VGG-16's CONV1 to 3 take beyond the formula is 576 to 591 cycles
   * per pass; AlexNet is then predicted.
   */
  readonly passCycles: number;
  /**
   * Share of the maps' transfers that processing does not hide. Fitted: with it the frame rates of AlexNet and VGG-16 are off by the
   * same, one low and one high. Filters are prefetched and do not count.
   */
  readonly exposedShare: number;
  /** Of the chip, where it was measured; null for hardware that was not. */
  readonly power: PowerFit | null;
}

/** 1.0 V, at the clocks of the measurements in JSSC 2017, tables V and VI. */
export const EYERISS_CHIP: EyerissHardware = {
  name: "eyeriss",
  rows: 12,
  columns: 14,
  coreMHz: 200,
  linkMHz: 60,
  portBits: 64,
  wordBits: 16,
  bufferBytes: 100 * 1024,
  filterSpad: 224,
  inputSpad: 12,
  sumSpad: 24,
  passCycles: 580,
  exposedShare: 0.93,
  power: CHIP_POWER,
};

const WIDTH_BITS: Readonly<Record<Precision, number>> = { fp32: 32, fp16: 16, int16: 16, int8: 8 };

/**
 * The same memories and wires with words of another width: half as wide, twice as many fit. The chip is a 16-bit fixed-point
 * design, so only that precision keeps its measured power.
 */
export function withPrecision(hardware: EyerissHardware, precision: Precision): EyerissHardware {
  const wordBits = WIDTH_BITS[precision];
  if (precision === "int16" && hardware.wordBits === wordBits) return hardware;
  const words = (count: number): number => Math.floor((count * hardware.wordBits) / wordBits);
  return {
    ...hardware,
    wordBits,
    filterSpad: words(hardware.filterSpad),
    inputSpad: words(hardware.inputSpad),
    sumSpad: words(hardware.sumSpad),
    power: null,
  };
}

/**
 * Overrides on the chip, checked. The measured power goes with any of them.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for a number that no hardware can have
 */
export function eyerissHardware(overrides: Partial<EyerissHardware> = {}): EyerissHardware {
  const isChip = Object.entries(overrides).every(
    ([key, value]) => EYERISS_CHIP[key as keyof EyerissHardware] === value,
  );
  const hardware = { ...EYERISS_CHIP, power: isChip ? CHIP_POWER : null, ...overrides };
  const whole = ["rows", "columns", "wordBits", "filterSpad", "inputSpad", "sumSpad"] as const;
  for (const field of whole) {
    if (!Number.isSafeInteger(hardware[field]) || hardware[field] < 1) {
      throw invalid(field, "a whole number of at least 1", hardware[field]);
    }
  }
  for (const field of ["coreMHz", "linkMHz", "bufferBytes"] as const) {
    if (!(hardware[field] > 0 && Number.isFinite(hardware[field])))
      throw invalid(field, "more than 0", hardware[field]);
  }
  if (hardware.portBits < hardware.wordBits) {
    throw invalid("portBits", `at least one word of ${hardware.wordBits} bits`, hardware.portBits);
  }
  if (!(hardware.passCycles >= 0)) throw invalid("passCycles", "at least 0", hardware.passCycles);
  if (!(hardware.exposedShare >= 0 && hardware.exposedShare <= 1)) {
    throw invalid("exposedShare", "0 to 1", hardware.exposedShare);
  }
  return hardware;
}

export function portWords({ portBits, wordBits }: EyerissHardware): number {
  return portBits / wordBits;
}

function invalid(field: string, expected: string, got: number): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `eyeriss: ${field}: expected ${expected}, got ${got}`, {
    option: field,
    got,
  });
}
