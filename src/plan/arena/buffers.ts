/**
 * Static allocation: buffers with lifetimes and sizes, to be given offsets such that no two that live at the same time overlap.
 * This is the problem of MiniMalloc (Moffitt, ASPLOS 2023) as flat arrays, its lower bound, and the check of an answer.
 */
import { VdnnError } from "../../errors.ts";

/** Buffer i lives in [lower[i], upper[i]), in any unit of time, and takes bytes[i]. Doubles, because arenas exceed 4 GiB. */
export interface Buffers {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly bytes: Float64Array;
}

export function buffersOf(
  list: readonly { readonly lower: number; readonly upper: number; readonly bytes: number }[],
): Buffers {
  return {
    lower: Float64Array.from(list, ({ lower }) => lower),
    upper: Float64Array.from(list, ({ upper }) => upper),
    bytes: Float64Array.from(list, ({ bytes }) => bytes),
  };
}

/** Most bytes that live at once: no arena is smaller. */
export function peakBytes({ lower, upper, bytes }: Buffers): number {
  const starts = Int32Array.from(lower.keys()).sort((a, b) => at(lower, a) - at(lower, b));
  const ends = Int32Array.from(upper.keys()).sort((a, b) => at(upper, a) - at(upper, b));
  let live = 0;
  let peak = 0;
  let done = 0;
  for (const i of starts) {
    // Half-open: what ends at this instant is gone.
    for (; done < ends.length && at(upper, at(ends, done)) <= at(lower, i); done++) live -= at(bytes, at(ends, done));
    live += at(bytes, i);
    peak = Math.max(peak, live);
  }
  return peak;
}

/** Bytes from offset 0 to the end of the highest buffer. */
export function arenaBytes({ bytes }: Buffers, offsets: Float64Array): number {
  let top = 0;
  for (const [i, size] of bytes.entries()) top = Math.max(top, at(offsets, i) + size);
  return top;
}

/**
 * The independent check of offsets: every pair, nothing clever.
 *
 * @throws VdnnError `ERR_INVALID_PLAN` naming the buffers
 */
export function validateOffsets({ lower, upper, bytes }: Buffers, offsets: Float64Array, capacityBytes: number): void {
  const fail = (message: string, details: Readonly<Record<string, unknown>>): never => {
    throw new VdnnError("ERR_INVALID_PLAN", message, details);
  };
  if (offsets.length !== bytes.length) fail(`${offsets.length} offsets for ${bytes.length} buffers`, {});
  for (const [i, offset] of offsets.entries()) {
    const end = offset + at(bytes, i);
    if (!(offset >= 0 && end <= capacityBytes)) {
      fail(`buffer ${i} at ${offset} to ${end} is outside the arena of ${capacityBytes}`, { buffer: i, offset });
    }
    for (let j = 0; j < i; j++) {
      const apartInTime = at(upper, i) <= at(lower, j) || at(upper, j) <= at(lower, i);
      const apartInSpace = end <= at(offsets, j) || at(offsets, j) + at(bytes, j) <= offset;
      if (!apartInTime && !apartInSpace) fail(`buffers ${j} and ${i} overlap`, { buffers: [j, i] });
    }
  }
}

/** An element that is there. */
function at(values: Float64Array | Int32Array, i: number): number {
  return values[i] as number;
}
