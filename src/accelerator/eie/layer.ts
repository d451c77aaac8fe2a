/**
 * A fully connected layer as EIE stores it (ISCA 2016, section III): rows dealt out over the processing elements, each of which
 * holds its rows' weights by columns, every weight as a code into the shared codebook and the zeros before it.
 */
import { type CscElement, localRows } from "../../compression/codecs/csc.ts";
import { invalidEie } from "./invalid.ts";
import type { EieMachine } from "./machine.ts";

export interface EieLayer {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether there is a column more than inputs: the bias, whose activation is always 1. */
  readonly bias: boolean;
  /** Weight of each code. Code 0 is 0. */
  readonly codebook: Float32Array;
  /** What each processing element has in its SRAM; local row r of element k is row r · P + k of the matrix. */
  readonly pes: readonly CscElement[];
}

export function columnsOf({ inputs, bias }: EieLayer): number {
  return inputs + (bias ? 1 : 0);
}

/** Rows that element `pe` owns. */
export function rowsOf({ outputs, pes }: EieLayer, pe: number): number {
  return localRows(outputs, pes.length, pe);
}

/** Fillers included. */
export function entriesOf({ pes }: EieLayer): number {
  return pes.reduce((sum, { entries }) => sum + entries.codes.length, 0);
}

/** Entries of the bias column over all elements, and those among them that are fillers or zero. */
export function biasEntriesOf({ pes, bias, inputs, codebook }: EieLayer): { entries: number; zero: number } {
  let entries = 0;
  let zero = 0;
  if (!bias) return { entries, zero };
  for (const element of pes) {
    const { pointers } = element;
    const column = element.entries.codes.subarray(pointers[inputs], pointers[inputs + 1]);
    entries += column.length;
    zero += column.reduce((count, code) => count + (codebook[code] === 0 ? 1 : 0), 0);
  }
  return { entries, zero };
}

/** Says what is wrong with one element's memory, or null. For the loader, which knows the file, and for `checkLayer`. */
export function faultOf(layer: EieLayer, pe: number, machine: EieMachine): PeFault | null {
  const {
    pointers,
    entries: { codes, gaps },
  } = layer.pes[pe] as CscElement;
  const columns = columnsOf(layer);
  if (pointers.length !== columns + 1) {
    return fault(
      "pointers",
      `expected ${columns + 1} pointers (${columns} columns and an end), got ${pointers.length}`,
    );
  }
  if (pointers[0] !== 0) return fault("pointers", `expected the first pointer to be 0, got ${pointers[0]}`);
  const decrease = pointers.findIndex((pointer, i) => pointer < (pointers[i - 1] ?? 0));
  if (decrease !== -1) {
    return fault(
      "pointers",
      `pointer ${decrease} is ${pointers[decrease]}, below the ${pointers[decrease - 1]} before it`,
    );
  }
  if (pointers[columns] !== codes.length || codes.length !== gaps.length) {
    return fault("entries", `the last pointer says ${pointers[columns]} entries, got ${codes.length}`);
  }
  const codeLimit = Math.min(layer.codebook.length, 2 ** machine.codeBits);
  const badCode = codes.findIndex((code) => code >= codeLimit);
  if (badCode !== -1)
    return fault("entries", `entry ${badCode} has code ${codes[badCode]}, of ${codeLimit} in the codebook`);
  const badRun = gaps.findIndex((run) => run >= 2 ** machine.zeroRunBits);
  if (badRun !== -1) {
    return fault(
      "entries",
      `entry ${badRun} has a zero run of ${gaps[badRun]}, more than ${machine.zeroRunBits} bits hold`,
    );
  }
  const rows = rowsOf(layer, pe);
  for (let column = 0; column < columns; column++) {
    const last = lastRow(gaps, pointers[column] ?? 0, pointers[column + 1] ?? 0);
    if (last >= rows) {
      const row = last * layer.pes.length + pe;
      return fault("entries", `column ${column} reaches row ${row}, beyond the ${layer.outputs} outputs`);
    }
  }
  return null;
}

export interface PeFault {
  readonly where: "pointers" | "entries";
  readonly text: string;
}

function fault(where: PeFault["where"], text: string): PeFault {
  return { where, text };
}

/** Local row of the last entry of `[from, to)`; -1 where there is none. */
export function lastRow(gaps: Uint8Array, from: number, to: number): number {
  let row = -1;
  for (let entry = from; entry < to; entry++) row += (gaps[entry] ?? 0) + 1;
  return row;
}

/** @throws VdnnError `ERR_INVALID_OPTION` that names the layer and the processing element */
export function checkLayer(layer: EieLayer, machine: EieMachine): void {
  if (layer.pes.length !== machine.pes) {
    const rule = `stored for ${layer.pes.length} processing elements, the machine has ${machine.pes}; encode it again or change pes`;
    throw invalidEie(layer.name, rule);
  }
  checkCodebook(layer.name, layer.codebook, machine);
  for (let pe = 0; pe < machine.pes; pe++) {
    const found = faultOf(layer, pe, machine);
    if (found !== null) throw invalidEie(layer.name, `processing element ${pe}: ${found.text}`, { pe });
  }
}

/** @throws VdnnError `ERR_INVALID_OPTION` when codes of the machine's width cannot name every weight, or code 0 is not 0 */
export function checkCodebook(name: string, codebook: Float32Array, { codeBits }: EieMachine): void {
  if (codebook.length === 0 || codebook.length > 2 ** codeBits) {
    const rule = `a codebook of ${codebook.length} weights does not go into ${codeBits}-bit codes; share to at most ${2 ** codeBits}`;
    throw invalidEie(name, rule, { weights: codebook.length, codeBits });
  }
  const bad = codebook.findIndex((weight) => !Number.isFinite(weight));
  if (bad !== -1) throw invalidEie(name, `codebook weight ${bad} is ${codebook[bad]}; expected finite numbers`);
  if (codebook[0] !== 0) throw invalidEie(name, `code 0 means ${codebook[0]}; it must mean 0, which fillers need`);
}
