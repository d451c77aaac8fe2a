/** Reads a layer directory, checking every file before a cycle is simulated. */
import { readdir, readFile } from "node:fs/promises";
import * as path from "node:path";
import type { CscElement } from "../../compression/codecs/csc.ts";
import { ACTIVATIONS_FILE, CODEBOOK_FILE, EXPECTED_FILE, matrixFile, pointerFile, WORD_BYTES } from "./files.ts";
import { invalidFile } from "./invalid.ts";
import { type EieLayer, faultOf, lastRow } from "./layer.ts";
import { EIE, type EieMachine } from "./machine.ts";

export interface LayerDirectory {
  readonly layer: EieLayer;
  /** `[inputs]` */
  readonly activations: Float32Array;
  /** `[outputs]`, where the directory has them. */
  readonly expected: Float32Array | null;
}

export interface ReadLayerOptions {
  /** Rows of the matrix. Default: up to the last row that has an entry. */
  readonly outputs?: number;
  /** What codes, runs and rows must fit into; its number of elements is that of the directory. */
  readonly machine?: EieMachine;
}

/** @throws VdnnError `ERR_INVALID_MODEL` that names the file which is missing, truncated or corrupt, and `ERR_INVALID_OPTION` */
export async function readLayerDirectory(directory: string, options: ReadLayerOptions = {}): Promise<LayerDirectory> {
  const { machine = EIE } = options;
  const activations = await readFloats(path.join(directory, ACTIVATIONS_FILE));
  const codebookFile = path.join(directory, CODEBOOK_FILE);
  const codebook = await readFloats(codebookFile);
  if (codebook.length > 2 ** machine.codeBits) {
    throw invalidFile(codebookFile, `expected at most ${2 ** machine.codeBits} weights, got ${codebook.length}`);
  }
  if (codebook[0] !== 0) throw invalidFile(codebookFile, `expected code 0 to be the weight 0, got ${codebook[0]}`);
  const count = await countElements(directory);
  const pes: CscElement[] = [];
  for (let pe = 0; pe < count; pe++) pes.push(await readElement(directory, pe));
  const bias = hasBias(directory, activations.length, pes);
  const outputs = options.outputs ?? highestRow(pes) + 1;
  const layer: EieLayer = {
    name: path.basename(path.resolve(directory)),
    inputs: activations.length,
    outputs,
    bias,
    codebook,
    pes,
  };
  checkElements(directory, layer, machine);
  return { layer, activations, expected: await readExpected(path.join(directory, EXPECTED_FILE), outputs) };
}

async function readElement(directory: string, pe: number): Promise<CscElement> {
  const pointers = await readWords(pointerFile(directory, pe));
  const file = matrixFile(directory, pe);
  const words = await readWords(file);
  if (words.length % 2 !== 0) {
    throw invalidFile(
      file,
      `expected entries of ${2 * WORD_BYTES} bytes, got half of one at the end; is it truncated?`,
    );
  }
  const big = words.findIndex((word) => word > 0xff);
  if (big !== -1) {
    const what = big % 2 === 0 ? "code" : "zero run";
    throw invalidFile(file, `entry ${Math.floor(big / 2)} has a ${what} of ${words[big]}; expected a few bits`);
  }
  const length = words.length / 2;
  const entries = { codes: new Uint8Array(length), gaps: new Uint8Array(length) };
  for (let entry = 0; entry < length; entry++) {
    entries.codes[entry] = words[2 * entry] as number;
    entries.gaps[entry] = words[2 * entry + 1] as number;
  }
  return { pointers, entries };
}

/** As many as the highest number in a file's name says, so that one missing in between is missed. */
async function countElements(directory: string): Promise<number> {
  let count = 0;
  for (const kind of ["ptr", "spm"]) {
    const folder = path.join(directory, kind);
    for (const name of await attempt(folder, () => readdir(folder))) {
      const number = new RegExp(`^${kind}(\\d+)\\.dat$`).exec(name)?.[1];
      if (number !== undefined) count = Math.max(count, Number(number) + 1);
    }
  }
  if (count === 0)
    throw invalidFile(pointerFile(directory, 0), "no such file; expected one per processing element, from 0");
  return count;
}

function hasBias(directory: string, inputs: number, [first]: readonly CscElement[]): boolean {
  const pointers = first?.pointers.length ?? 0;
  if (pointers === inputs + 2) return true;
  if (pointers === inputs + 1) return false;
  throw invalidFile(
    pointerFile(directory, 0),
    `expected ${inputs + 2} pointers (a column for each of the ${inputs} activations in ${ACTIVATIONS_FILE}, the bias, an end; one less without bias), got ${pointers}; is it or ${ACTIVATIONS_FILE} truncated?`,
  );
}

function highestRow(pes: readonly CscElement[]): number {
  let highest = -1;
  pes.forEach(({ pointers, entries: { gaps } }, pe) => {
    for (let column = 0; column + 1 < pointers.length; column++) {
      const last = lastRow(gaps, pointers[column] ?? 0, Math.min(pointers[column + 1] ?? 0, gaps.length));
      if (last >= 0) highest = Math.max(highest, last * pes.length + pe);
    }
  });
  return highest;
}

function checkElements(directory: string, layer: EieLayer, machine: EieMachine): void {
  // 16-bit sums, in registers and the SRAM behind them.
  const mostOutputs = (machine.activationBytes / 2) * layer.pes.length;
  for (let pe = 0; pe < layer.pes.length; pe++) {
    const found = faultOf(layer, pe, machine);
    if (found === null) continue;
    const file = found.where === "pointers" ? pointerFile(directory, pe) : matrixFile(directory, pe);
    throw invalidFile(file, found.text);
  }
  if (layer.outputs > mostOutputs) {
    throw invalidFile(
      directory,
      `entries reach row ${layer.outputs - 1}, beyond the ${mostOutputs} outputs that ${layer.pes.length} processing elements hold`,
    );
  }
}

async function readExpected(file: string, outputs: number): Promise<Float32Array | null> {
  let values: Float32Array;
  try {
    values = bytesToFloats(file, await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  if (values.length < outputs)
    throw invalidFile(file, `expected ${outputs} outputs, got ${values.length}; is it truncated?`);
  return values.slice(0, outputs);
}

async function readFloats(file: string): Promise<Float32Array> {
  const values = bytesToFloats(file, await attempt(file, () => readFile(file)));
  if (values.length === 0) throw invalidFile(file, "is empty");
  return values;
}

function bytesToFloats(file: string, bytes: Buffer): Float32Array {
  const words = bytesToWords(file, bytes);
  const values = new Float32Array(words.buffer);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) throw invalidFile(file, `number ${bad} is ${values[bad]}; expected finite float32`);
  return values;
}

async function readWords(file: string): Promise<Uint32Array> {
  return bytesToWords(file, await attempt(file, () => readFile(file)));
}

function bytesToWords(file: string, bytes: Buffer): Uint32Array {
  if (bytes.length % WORD_BYTES !== 0) {
    throw invalidFile(file, `expected numbers of ${WORD_BYTES} bytes, got ${bytes.length} bytes; is it truncated?`);
  }
  const words = new Uint32Array(bytes.length / WORD_BYTES);
  for (let i = 0; i < words.length; i++) words[i] = bytes.readUInt32LE(i * WORD_BYTES);
  return words;
}

async function attempt<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (cause as Error).message;
    throw invalidFile(
      file,
      `${reason}; expected a layer directory with ptr/, spm/, ${ACTIVATIONS_FILE} and ${CODEBOOK_FILE}`,
      cause,
    );
  }
}
