/**
 * EIE's interleaved compressed sparse columns (Han et al., ISCA 2016, section III-B): row i of the matrix belongs to processing
 * element i mod P, as its row ⌊i / P⌋. Each element holds its rows column by column as relative indices with fillers, and where in
 * its entries each column begins. Indices start anew in every column, and zeros at its end are not stored.
 */
import { invalidModel } from "../invalid.ts";
import type { Entries } from "../model.ts";
import { decodeRelative, encodeRelative } from "./relative-index.ts";

export interface CscMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly indexBits: number;
  /** One per processing element. */
  readonly elements: readonly CscElement[];
}

export interface CscElement {
  /** Where each column's entries begin, and behind them the number of all: `columns + 1` values. */
  readonly pointers: Uint32Array;
  readonly entries: Entries;
}

export interface CscOptions {
  readonly rows: number;
  readonly columns: number;
  /** P. Default 64. */
  readonly elements?: number;
  /** Default 4. */
  readonly indexBits?: number;
  /** How `codes` lie: a tf.layers kernel `[in, out]` is the matrix of `out` rows column by column. Default `row-major`. */
  readonly order?: "row-major" | "column-major";
}

/** @param codes of the dense matrix, 0 for a weight that is zero */
export function encodeCsc(codes: Uint8Array, options: CscOptions): CscMatrix {
  const { rows, columns, elements = 64, indexBits = 4, order = "row-major" } = options;
  if (codes.length !== rows * columns) {
    throw invalidModel("matrix", `expected ${rows} × ${columns} codes, got ${codes.length}`);
  }
  const rowStep = order === "row-major" ? columns : 1;
  const columnStep = order === "row-major" ? 1 : rows;
  return {
    rows,
    columns,
    indexBits,
    elements: Array.from({ length: elements }, (_, element) => {
      const local = new Uint8Array(localRows(rows, elements, element));
      const pointers = new Uint32Array(columns + 1);
      const parts: Entries[] = [];
      for (let column = 0; column < columns; column++) {
        const start = column * columnStep + element * rowStep;
        for (let i = 0; i < local.length; i++) local[i] = codes[start + i * elements * rowStep] ?? 0;
        const part = encodeRelative(local, indexBits);
        pointers[column + 1] = (pointers[column] ?? 0) + part.codes.length;
        parts.push(part);
      }
      return { pointers, entries: joined(parts) };
    }),
  };
}

/** The codes of the dense matrix, row by row. */
export function decodeCsc({ rows, columns, elements }: CscMatrix): Uint8Array {
  const codes = new Uint8Array(rows * columns);
  for (const [element, { pointers, entries }] of elements.entries()) {
    const size = localRows(rows, elements.length, element);
    for (let column = 0; column < columns; column++) {
      const [from, to] = [pointers[column], pointers[column + 1]];
      const part = { codes: entries.codes.subarray(from, to), gaps: entries.gaps.subarray(from, to) };
      const local = decodeRelative(part, size, `column ${column} of element ${element}`);
      for (let i = 0; i < size; i++) codes[(i * elements.length + element) * columns + column] = local[i] ?? 0;
    }
  }
  return codes;
}

export interface CscSize {
  readonly columns: number;
  readonly elements: number;
  /** Of all elements, fillers included. */
  readonly entries: number;
  readonly codeBits: number;
  readonly indexBits: number;
  /** Default 16, as on the chip. */
  readonly pointerBits?: number;
}

export function cscBits({ columns, elements, entries, codeBits, indexBits, pointerBits = 16 }: CscSize): number {
  return entries * (codeBits + indexBits) + elements * (columns + 1) * pointerBits;
}

export function cscEntries({ elements }: CscMatrix): number {
  return elements.reduce((sum, { entries }) => sum + entries.codes.length, 0);
}

/** Rows of the matrix that one element holds. */
export function localRows(rows: number, elements: number, element: number): number {
  return Math.max(0, Math.ceil((rows - element) / elements));
}

function joined(parts: readonly Entries[]): Entries {
  const length = parts.reduce((sum, { codes }) => sum + codes.length, 0);
  const entries = { codes: new Uint8Array(length), gaps: new Uint8Array(length) };
  let at = 0;
  for (const { codes, gaps } of parts) {
    entries.codes.set(codes, at);
    entries.gaps.set(gaps, at);
    at += codes.length;
  }
  return entries;
}
