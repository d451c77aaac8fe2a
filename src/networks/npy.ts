/** Arrays in NumPy's `.npy` format, as `numpy.save` writes them: little-endian numbers in C order. */
import { VdnnError } from "../errors.ts";

export interface NumberArray {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const MAGIC = "\u0093NUMPY";
const READERS: Readonly<Record<string, { readonly bytes: number; read(view: DataView, at: number): number }>> = {
  "<f4": { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  "<f8": { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  "<i4": { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  "|u1": { bytes: 1, read: (view, at) => view.getUint8(at) },
};

/** @throws VdnnError `ERR_INVALID_DATA` for what is no such array, or is truncated */
export function parseNpy(bytes: Uint8Array, source: string): NumberArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || file.toString("latin1", 0, 6) !== MAGIC) {
    throw invalid(source, "expected a .npy file, which begins with \\x93NUMPY");
  }
  // Version 1 has a header length of two bytes, later ones of four.
  const isFirst = file[6] === 1;
  const start = isFirst ? 10 : 12;
  const data = start + (isFirst ? file.readUInt16LE(8) : file.readUInt32LE(8));
  const header = file.toString("latin1", start, data);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const sides = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const reader = READERS[type];
  if (reader === undefined || sides === undefined || !/'fortran_order':\s*False/.test(header)) {
    const known = Object.keys(READERS).join(", ");
    throw invalid(source, `expected an array of ${known} in C order, got ${header.trim().slice(0, 80)}`);
  }
  const shape = sides.split(",").flatMap((side) => (side.trim() === "" ? [] : [Number(side)]));
  const length = shape.reduce((product, side) => product * side, 1);
  const expected = data + length * reader.bytes;
  if (file.length !== expected) throw invalid(source, `expected ${expected} bytes, got ${file.length}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const values = Float32Array.from({ length }, (_, i) => reader.read(view, data + i * reader.bytes));
  return { shape, values };
}

function invalid(source: string, rule: string): VdnnError {
  return new VdnnError("ERR_INVALID_DATA", `${source}: ${rule}`, { source });
}
