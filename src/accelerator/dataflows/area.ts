/**
 * The same area for every dataflow (ISCA 2016, section VI-A): with 256 elements, row stationary has 512 B of registers in each and a
 * buffer of 128 KB; what another dataflow saves in registers it has in buffer. A byte of a large memory takes less area than one of a
 * small one, so that the buffers differ by up to 2.6 times, the figure that the paper gives; the density of registers is set by it.
 */
import type { ArraySize, Dataflow } from "./dataflow.ts";

const WORD_BYTES = 2;
const ROW_STATIONARY = { registerBytes: 512, bufferBytes: 128 * 1024 } as const;
/** Of the dataflow without registers. */
const LARGEST_BUFFER = 2.6;

export interface ArrayOptions {
  /** Default: 16. */
  readonly rows?: number;
  readonly columns?: number;
}

export function sameArea({ registerWords }: Pick<Dataflow, "registerWords">, options: ArrayOptions = {}): ArraySize {
  const { rows = 16, columns = 16 } = options;
  const pes = rows * columns;
  // The paper's 0.5 KB of buffer per element: both kinds of memory grow with the array.
  const share = pes / 256;
  const saved = 1 - (registerWords * WORD_BYTES) / ROW_STATIONARY.registerBytes;
  const bufferBytes = ROW_STATIONARY.bufferBytes * share * (1 + saved * (LARGEST_BUFFER - 1));
  return { rows, columns, registerWords, bufferWords: Math.floor(bufferBytes / WORD_BYTES) };
}
