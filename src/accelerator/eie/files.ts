/** Names and numbers of the layer directory: the layout in which the authors' simulator (RalphMao/EIE-simulator) keeps its data. */
import * as path from "node:path";

export const ACTIVATIONS_FILE = "act.dat";
/** The codebook, float32. */
export const CODEBOOK_FILE = "arithm.dat";
/** Optional: what the layer should give, float32, possibly with zeros behind. */
export const EXPECTED_FILE = "output_expected_f32.dat";

/** One element's column pointers, uint32: columns, bias column, end. */
export function pointerFile(directory: string, pe: number): string {
  return path.join(directory, "ptr", `ptr${pe}.dat`);
}

/** One element's entries, pairs of uint32: code, zeros before it. */
export function matrixFile(directory: string, pe: number): string {
  return path.join(directory, "spm", `spm${pe}.dat`);
}

/** Numbers in all files are 32 bits, little-endian. */
export const WORD_BYTES = 4;
