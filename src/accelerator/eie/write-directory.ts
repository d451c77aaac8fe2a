/** Writes a layer directory that `readLayerDirectory`, and the simulator of EIE's authors, can run. */
import { mkdir, writeFile } from "node:fs/promises";
import * as path from "node:path";
import type { CscElement } from "../../compression/codecs/csc.ts";
import { ACTIVATIONS_FILE, CODEBOOK_FILE, EXPECTED_FILE, matrixFile, pointerFile, WORD_BYTES } from "./files.ts";
import { invalidEie } from "./invalid.ts";
import { checkLayer, columnsOf, type EieLayer } from "./layer.ts";
import { EIE, type EieMachine } from "./machine.ts";

export interface WriteLayerOptions {
  /** `[outputs]`, to be kept beside the layer. */
  readonly expected?: Float32Array;
  readonly machine?: EieMachine;
}

/**
 * The layout has whole lines of activations, one per processing element: inputs are filled up with activations of 0 on empty
 * columns, and the codebook with zeros to the machine's codes, which changes no cycle and no output.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` before anything is written
 */
export async function writeLayerDirectory(
  directory: string,
  layer: EieLayer,
  activations: Float32Array,
  { expected, machine = EIE }: WriteLayerOptions = {},
): Promise<void> {
  checkLayer(layer, { ...machine, pes: layer.pes.length });
  if (activations.length !== layer.inputs) {
    throw invalidEie(layer.name, `expected ${layer.inputs} activations, got ${activations.length}`);
  }
  if (expected !== undefined && expected.length !== layer.outputs) {
    throw invalidEie(layer.name, `expected ${layer.outputs} outputs, got ${expected.length}`);
  }
  const width = layer.pes.length;
  const padded = new Float32Array(Math.ceil(layer.inputs / width) * width);
  padded.set(activations);
  const codebook = new Float32Array(2 ** machine.codeBits);
  codebook.set(layer.codebook);
  await mkdir(path.join(directory, "ptr"), { recursive: true });
  await mkdir(path.join(directory, "spm"), { recursive: true });
  await writeFile(path.join(directory, ACTIVATIONS_FILE), floatBytes(padded));
  await writeFile(path.join(directory, CODEBOOK_FILE), floatBytes(codebook));
  if (expected !== undefined) await writeFile(path.join(directory, EXPECTED_FILE), floatBytes(expected));
  for (const [pe, element] of layer.pes.entries()) {
    await writeFile(pointerFile(directory, pe), wordBytes(pointersOf(layer, element, padded.length)));
    await writeFile(matrixFile(directory, pe), wordBytes(pairsOf(element)));
  }
}

/** With empty columns between the inputs and the bias. */
function pointersOf(layer: EieLayer, { pointers }: CscElement, inputs: number): number[] {
  const empty = Array.from({ length: inputs - layer.inputs }, () => pointers[layer.inputs] ?? 0);
  return [...pointers.subarray(0, layer.inputs), ...empty, ...pointers.subarray(layer.inputs, columnsOf(layer) + 1)];
}

function pairsOf({ entries: { codes, gaps } }: CscElement): number[] {
  return Array.from(codes).flatMap((code, entry) => [code, gaps[entry] ?? 0]);
}

function wordBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(words.length * WORD_BYTES);
  words.forEach((word, i) => bytes.writeUInt32LE(word, i * WORD_BYTES));
  return bytes;
}

function floatBytes(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(values.length * WORD_BYTES);
  values.forEach((value, i) => bytes.writeFloatLE(value, i * WORD_BYTES));
  return bytes;
}
