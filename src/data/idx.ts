/**
 * Reads IDX files, the format of MNIST (LeCun, Cortes, Burges): a magic number (two zero bytes, the type, the number of
 * dimensions), the dimensions as big-endian 32-bit numbers, the values. Both files may be gzipped, as MNIST's are.
 */
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import { checkImages, type DataSplit, invalidData, type LabeledImages } from "./images.ts";

/** The only type that images and labels have: unsigned bytes. */
const UNSIGNED_BYTE = 0x08;
const GZIP = [0x1f, 0x8b] as const;
/** Digits; also clothes and the other sets that come in this format. */
const DEFAULT_CLASSES = 10;

export interface IdxArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

export interface IdxOptions {
  /** Labels must be below this. Default 10. */
  readonly classes?: number;
}

/**
 * @param source name of the file, for messages
 * @throws VdnnError `ERR_INVALID_DATA` when it is no IDX file of unsigned bytes, or not as long as its dimensions say
 */
export function parseIdx(bytes: Uint8Array, source: string): IdxArray {
  const plain = bytes[0] === GZIP[0] && bytes[1] === GZIP[1] ? unzipped(bytes, source) : bytes;
  const [first, second, type, rank] = plain;
  if (first !== 0 || second !== 0 || type === undefined || rank === undefined || rank === 0) {
    const got = Buffer.from(plain.subarray(0, 4)).toString("hex") || "an empty file";
    throw invalidData(source, `expected an IDX file, which begins with 0000, a type and a rank, got ${got}`);
  }
  if (type !== UNSIGNED_BYTE) {
    throw invalidData(
      source,
      `expected values of type 08, unsigned bytes, got 0x${type.toString(16).padStart(2, "0")}`,
    );
  }
  const header = 4 + 4 * rank;
  if (plain.length < header) throw truncated(source, header, plain.length);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const expected = header + shape.reduce((size, side) => size * side, 1);
  if (plain.length < expected) throw truncated(source, expected, plain.length);
  if (plain.length > expected) {
    throw invalidData(
      source,
      `expected ${expected} bytes for ${shape.join("x")}, got ${plain.length}: bytes are left over`,
    );
  }
  return { shape, values: plain.subarray(header) };
}

/** A pair of IDX files as a data set. @throws VdnnError `ERR_INVALID_DATA` */
export function labeledImages(
  images: IdxArray,
  labels: IdxArray,
  source: string,
  options: IdxOptions = {},
): LabeledImages {
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || count === undefined || height === undefined || width === undefined) {
    throw invalidData(source, `expected images of three dimensions, got ${images.shape.join("x")}`);
  }
  if (labels.shape.length !== 1) {
    throw invalidData(
      source,
      `expected labels of one dimension, got ${labels.shape.join("x")}; are the files swapped?`,
    );
  }
  const { classes = DEFAULT_CLASSES } = options;
  const set: LabeledImages = { count, height, width, classes, pixels: images.values, labels: labels.values };
  checkImages(set, source);
  return set;
}

/** Reads a pair of files. @throws VdnnError `ERR_INVALID_DATA`, also where a file cannot be read */
export async function readIdx(imageFile: string, labelFile: string, options: IdxOptions = {}): Promise<LabeledImages> {
  const [images, labels] = await Promise.all([readArray(imageFile), readArray(labelFile)]);
  return labeledImages(images, labels, path.basename(imageFile), options);
}

/** The four files of a folder by MNIST's own names, gzipped or not. @throws VdnnError `ERR_INVALID_DATA` */
export async function readMnist(folder: string, options: IdxOptions = {}): Promise<DataSplit> {
  const pair = (part: string): Promise<LabeledImages> =>
    readIdx(path.join(folder, `${part}-images-idx3-ubyte`), path.join(folder, `${part}-labels-idx1-ubyte`), options);
  const [train, test] = await Promise.all([pair("train"), pair("t10k")]);
  if (train.height !== test.height || train.width !== test.width) {
    throw invalidData(
      folder,
      `expected images of one size, got ${train.height}x${train.width} to train on and ${test.height}x${test.width} to test on`,
    );
  }
  return { train, test };
}

/** A name without `.gz` also finds the gzipped file. */
async function readArray(file: string): Promise<IdxArray> {
  let failure: unknown;
  for (const name of file.endsWith(".gz") ? [file] : [file, `${file}.gz`]) {
    try {
      return parseIdx(await readFile(name), path.basename(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw asInvalid(error, name);
      failure ??= error;
    }
  }
  throw asInvalid(failure, file);
}

function asInvalid(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code?.startsWith("ERR_") === true ? error : invalidData(file, `cannot be read (${code})`, error);
}

function unzipped(bytes: Uint8Array, source: string): Uint8Array {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw invalidData(source, "expected a whole gzip file, got one that is truncated or damaged", error);
  }
}

function truncated(source: string, expected: number, got: number): Error {
  return invalidData(source, `expected ${expected} bytes, got ${got}: the file is truncated`);
}
