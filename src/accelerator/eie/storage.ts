/** Whether a layer fits into the SRAM of the processing elements, which then need no DRAM, and what loading it takes where not. */
import { type EieLayer, entriesOf, columnsOf } from "./layer.ts";
import type { EieMachine } from "./machine.ts";

/** Pointers, activations and sums (ISCA 2016, section VI). */
export const WORD_BITS = 16;

export interface Storage {
  readonly fits: boolean;
  /** One sentence for each memory that is too small. */
  readonly reasons: readonly string[];
  /** Of the fullest element. */
  readonly matrixBytes: number;
  readonly pointerBytes: number;
  /** Entries and pointers of all elements. */
  readonly layerBytes: number;
  /** Every weight as a 16-bit word, without any of EIE's encoding. */
  readonly denseBytes: number;
}

export function storageOf(layer: EieLayer, machine: EieMachine): Storage {
  const entryBytes = (machine.codeBits + machine.zeroRunBits) / 8;
  const most = Math.max(...layer.pes.map(({ entries }) => entries.codes.length));
  const matrixBytes = Math.ceil(most * entryBytes);
  const pointerBytes = ((columnsOf(layer) + 1) * WORD_BITS) / 8;
  const reasons = [
    ...overflow("entries", matrixBytes, machine.matrixBytes, "sparse-matrix SRAM"),
    ...overflow("pointers", pointerBytes, machine.pointerBytes, "pointer SRAM"),
  ];
  return {
    fits: reasons.length === 0,
    reasons,
    matrixBytes,
    pointerBytes,
    layerBytes: Math.ceil(entriesOf(layer) * entryBytes) + pointerBytes * layer.pes.length,
    denseBytes: (columnsOf(layer) * layer.outputs * WORD_BITS) / 8,
  };
}

function overflow(what: string, bytes: number, capacity: number, memory: string): string[] {
  return bytes > capacity ? [`${bytes} bytes of ${what} per element, ${capacity} in its ${memory}`] : [];
}
