/**
 * The container of vdnn's compressed models, `.vdnnz`: what makes a damaged file recognizable. All little-endian:
 *
 *     magic[8] · u32 version · u32 header bytes · f64 file bytes · header (JSON, UTF-8) · body · u32 CRC-32 of all before
 *
 * The magic is PNG's idea: a byte above 127 and both kinds of line ends show a transfer as text.
 */
import { crc32 } from "node:zlib";
import { invalidModel } from "../invalid.ts";
import type { JsonObject } from "../model.ts";

const MAGIC = Uint8Array.of(0x89, 0x56, 0x44, 0x4e, 0x4e, 0x0d, 0x0a, 0x1a);
const VERSION = 1;
const PREFIX_BYTES = MAGIC.length + 4 + 4 + 8;
const CHECKSUM_BYTES = 4;

export interface Contents {
  readonly header: JsonObject;
  readonly body: Uint8Array;
}

/** @param header what JSON can hold */
export function wrap(header: object, sections: readonly Uint8Array[]): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const body = sections.reduce((sum, { length }) => sum + length, 0);
  const file = new Uint8Array(PREFIX_BYTES + text.length + body + CHECKSUM_BYTES);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, text.length, true);
  view.setFloat64(16, file.length, true);
  file.set(text, PREFIX_BYTES);
  let at = PREFIX_BYTES + text.length;
  for (const section of sections) {
    file.set(section, at);
    at += section.length;
  }
  view.setUint32(at, crc32(file.subarray(0, at)), true);
  return file;
}

/** @throws VdnnError `ERR_INVALID_MODEL` that says whether it is another kind of file, another version, cut off, or damaged */
export function unwrap(file: Uint8Array, source: string): Contents {
  if (!MAGIC.every((byte, i) => i >= file.length || file[i] === byte)) {
    throw invalidModel(source, "is not a compressed model of vdnn; expected a file that `vdnn compress` wrote");
  }
  if (file.length < PREFIX_BYTES + CHECKSUM_BYTES) throw cutOff(source, file.length, PREFIX_BYTES + CHECKSUM_BYTES);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw invalidModel(
      source,
      `has version ${version} of the format, but this vdnn reads version ${VERSION}; update vdnn`,
    );
  }
  const length = view.getFloat64(16, true);
  if (file.length < length) throw cutOff(source, file.length, length);
  const end = file.length - CHECKSUM_BYTES;
  const [expected, found] = [view.getUint32(end, true), crc32(file.subarray(0, end))];
  if (file.length !== length || expected !== found) {
    throw invalidModel(
      source,
      `is damaged: its checksum is ${hex(found)}, expected ${hex(expected)}; copy the file again`,
    );
  }
  const headerEnd = PREFIX_BYTES + view.getUint32(12, true);
  if (headerEnd > end) throw invalidModel(source, "has a header longer than the file");
  return { header: parsed(file.subarray(PREFIX_BYTES, headerEnd), source), body: file.subarray(headerEnd, end) };
}

function parsed(bytes: Uint8Array, source: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalidModel(source, "has a header that is not JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidModel(source, "has a header that is not a JSON object");
  }
  return value as JsonObject;
}

function cutOff(source: string, got: number, expected: number): Error {
  return invalidModel(source, `is cut off: expected at least ${expected} bytes, got ${got}; copy the file again`);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
