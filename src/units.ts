/**
 * Sizes and rates as people write them. Bytes are plain numbers everywhere inside vdnn; these functions stand at the
 * boundary, where an option, a flag or a report is read or printed. Binary units (MiB) and decimal ones (MB) are kept apart.
 */
import { VdnnError } from "./errors.ts";

export const KIB = 1024;
export const MIB: number = 1024 * KIB;
export const GIB: number = 1024 * MIB;

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: KIB,
  mib: MIB,
  gib: GIB,
  tib: 1024 * GIB,
};

/** A size as users give it: bytes as a number, or a string such as `"512MiB"`, `"12GB"`, `"1.5 GiB"`, `"4096"`. */
export type Size = number | string;

/**
 * Reads a size in bytes.
 *
 * @param option the option's name, for the message
 * @throws VdnnError `ERR_INVALID_OPTION` when it is not a positive, finite size
 */
export function parseBytes(size: Size, option = "size"): number {
  const bytes = typeof size === "number" ? size : bytesOfText(size);
  if (!Number.isFinite(bytes) || bytes <= 0) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `${option}: expected a size such as 512MiB, 12GB or a positive number of bytes, got ${JSON.stringify(size)}`,
      { option, got: size },
    );
  }
  return Math.floor(bytes);
}

function bytesOfText(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  if (match === null) return Number.NaN;
  const perUnit = BYTES_PER_UNIT[(match[2] ?? "").toLowerCase()];
  return perUnit === undefined ? Number.NaN : Number(match[1]) * perUnit;
}

/** Prints bytes for people: `1.5 GiB`, `784 MiB`, `12.3 KiB`, `96 B`. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size >= GIB) return `${trim(bytes / GIB)} GiB`;
  if (size >= MIB) return `${trim(bytes / MIB)} MiB`;
  if (size >= KIB) return `${trim(bytes / KIB)} KiB`;
  return `${Math.round(bytes)} B`;
}

/** Prints milliseconds for people: `0.42 ms`, `18.3 ms`, `1.21 s`. */
export function formatMs(ms: number): string {
  if (Math.abs(ms) >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(Math.abs(ms) >= 10 ? 1 : 2)} ms`;
}

function trim(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
