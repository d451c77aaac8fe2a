/** Compressed models on disk. A file is there as a whole or not at all: it is written beside its place and then renamed. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { invalidModel } from "../invalid.ts";
import type { CompressedModel } from "../model.ts";
import { decodeModel, encodeModel, type EncodeOptions } from "./encode.ts";

/** @throws VdnnError `ERR_INVALID_MODEL` for a file that cannot be read, or is not a whole and undamaged compressed model */
export async function readCompressedModel(path: string): Promise<CompressedModel> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (cause) {
    throw invalidModel(path, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return decodeModel(file, path);
}

/**
 * @returns bytes of the file
 * @throws VdnnError before anything is written where the model cannot be stored; where the disk refuses, nothing stays behind
 */
export async function writeCompressedModel(
  path: string,
  model: CompressedModel,
  options: EncodeOptions = {},
): Promise<number> {
  const file = encodeModel(model, options);
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(beside, file, { flag: "wx", flush: true });
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw invalidModel(path, `cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return file.length;
}
