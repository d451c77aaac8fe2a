/**
 * One processing element of EIE, cycle by cycle:
 *
 *   queue → pointers → matrix line → decode, row → multiply, read sum → add → write
 *
 * Every arrow is a register. The last three stages are the pipelined multiply-accumulate of ISCA 2016, section IV, with its bypass:
 * a sum that the adder has just made goes straight back when the next entry is for the same row.
 */
import type { CscElement } from "../../compression/codecs/csc.ts";
import type { Broadcasts } from "./broadcast.ts";

/** No entry in this register. */
const BUBBLE = -1;

/**
 * Invariant: `entry < end` when a column is being walked, one entry per cycle; rows in `multiplyRow`, `addRow`, `writeRow` are
 * in the order of the entries, and each sum is in `sums` once its row has left `writeRow`.
 */
export class ProcessingElement {
  /** Of this element's rows. */
  readonly sums: Float32Array;
  /** Entries that were multiplied, one cycle each, and those among them whose weight is 0. */
  work = 0;
  zeroWork = 0;
  /** Columns that were looked up to find no entry, one cycle each. */
  emptyColumns = 0;
  /** Of the sparse-matrix SRAM; a line that is still in the register is not read again. */
  lineReads = 0;
  bypasses = 0;

  readonly #pointers: Uint32Array;
  readonly #codes: Uint8Array;
  readonly #gaps: Uint8Array;
  readonly #codebook: Float32Array;
  readonly #entriesPerLine: number;

  /** Broadcasts taken from the queue so far. */
  taken = 0;
  #entry = 0;
  #end = 0;
  #activation = 0;

  #lineEntry = BUBBLE;
  #lineActivation = 0;
  #isLineLast = false;
  #heldLine = BUBBLE;

  #decodeEntry = BUBBLE;
  #decodeActivation = 0;
  #isDecodeLast = false;
  /** Local row after the entry before this one, 0 at the start of a column. */
  #row = 0;

  #multiplyRow = BUBBLE;
  #weight = 0;
  #multiplyActivation = 0;

  #addRow = BUBBLE;
  #product = 0;
  #addend = 0;

  #writeRow = BUBBLE;
  #sum = 0;

  constructor({ pointers, entries }: CscElement, rows: number, codebook: Float32Array, entriesPerLine: number) {
    this.#pointers = pointers;
    this.#codes = entries.codes;
    this.#gaps = entries.gaps;
    this.#codebook = codebook;
    this.#entriesPerLine = entriesPerLine;
    this.sums = new Float32Array(rows);
  }

  /** Nothing between the queue and the sums. */
  get isIdle(): boolean {
    return (
      this.#entry === this.#end &&
      this.#lineEntry === BUBBLE &&
      this.#decodeEntry === BUBBLE &&
      this.#multiplyRow === BUBBLE &&
      this.#addRow === BUBBLE &&
      this.#writeRow === BUBBLE
    );
  }

  /** One clock cycle, from the last stage to the first so that each sees the registers as they were. */
  tick(queue: Broadcasts, sent: number): void {
    this.#write();
    this.#add();
    this.#multiply();
    this.#decode();
    this.#readEntry();
    this.#takeColumn(queue, sent);
  }

  #write(): void {
    if (this.#writeRow !== BUBBLE) this.sums[this.#writeRow] = this.#sum;
  }

  #add(): void {
    this.#writeRow = this.#addRow;
    if (this.#addRow !== BUBBLE) this.#sum = Math.fround(this.#product + this.#addend);
  }

  #multiply(): void {
    const row = this.#multiplyRow;
    this.#addRow = row;
    if (row === BUBBLE) return;
    this.#product = Math.fround(this.#weight * this.#multiplyActivation);
    if (row === this.#writeRow) {
      this.#addend = this.#sum;
      this.bypasses++;
    } else {
      this.#addend = this.sums[row] as number;
    }
    this.work++;
    if (this.#weight === 0) this.zeroWork++;
  }

  #decode(): void {
    const entry = this.#decodeEntry;
    if (entry === BUBBLE) {
      this.#multiplyRow = BUBBLE;
      return;
    }
    const row = this.#row + (this.#gaps[entry] as number);
    this.#multiplyRow = row;
    this.#row = this.#isDecodeLast ? 0 : row + 1;
    this.#weight = this.#codebook[this.#codes[entry] as number] as number;
    this.#multiplyActivation = this.#decodeActivation;
  }

  #readEntry(): void {
    this.#decodeEntry = this.#lineEntry;
    this.#decodeActivation = this.#lineActivation;
    this.#isDecodeLast = this.#isLineLast;
    if (this.#entry === this.#end) {
      this.#lineEntry = BUBBLE;
      return;
    }
    this.#lineEntry = this.#entry;
    this.#lineActivation = this.#activation;
    this.#isLineLast = this.#entry === this.#end - 1;
    const line = Math.floor(this.#entry / this.#entriesPerLine);
    if (line !== this.#heldLine) {
      this.#heldLine = line;
      this.lineReads++;
    }
    this.#entry++;
  }

  /** Both pointers of the next column in one cycle: odd and even ones are in banks of their own. */
  #takeColumn(queue: Broadcasts, sent: number): void {
    if (this.#entry !== this.#end || this.taken === sent) return;
    const column = queue.columns[this.taken] as number;
    this.#activation = queue.activations[this.taken] as number;
    this.#entry = this.#pointers[column] as number;
    this.#end = this.#pointers[column + 1] as number;
    if (this.#entry === this.#end) this.emptyColumns++;
    this.taken++;
  }
}
