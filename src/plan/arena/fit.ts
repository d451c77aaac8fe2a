/**
 * Fast placement: buffers one after the other, each at the lowest hole that is large enough. The order decides; what stands out
 * at the top is moved forward in the order and all are placed again.
 */
import { randomOf } from "../auto/random.ts";
import { arenaBytes, type Buffers } from "./buffers.ts";

/** Seeded, so that the same problem always has the same answer. */
const SEED = 1;

export interface Fit {
  readonly offsets: Float64Array;
  readonly bytes: number;
  /** Placements of single buffers. */
  readonly placements: number;
}

/**
 * @param goalBytes stops when reached: the peak, say
 * @param maxPlacements effort
 */
export function fit(buffers: Buffers, goalBytes: number, maxPlacements: number): Fit {
  const n = buffers.bytes.length;
  const { lower, upper, bytes } = buffers;
  const length = (b: number): number => upper[b]! - lower[b]!;
  const keys: readonly ((b: number) => number)[] = [
    (b) => bytes[b]!,
    (b) => length(b) * bytes[b]!,
    (b) => length(b),
    (b) => -lower[b]!,
  ];
  let best: Fit | undefined;
  let bestOrder: Int32Array = new Int32Array(n);
  let placements = 0;
  const attempt = (order: Int32Array): boolean => {
    const offsets = place(buffers, order);
    placements += n;
    const total = arenaBytes(buffers, offsets);
    if (best !== undefined && total >= best.bytes) return false;
    best = { offsets, bytes: total, placements };
    bestOrder = order;
    return true;
  };
  for (const key of keys) {
    if (best !== undefined && (best.bytes <= goalBytes || placements + n > maxPlacements)) break;
    attempt(Int32Array.from({ length: n }, (_, b) => b).sort((a, b) => key(b) - key(a) || a - b));
  }
  const random = randomOf(SEED);
  let round = 0;
  for (const rounds = Math.floor(maxPlacements / Math.max(1, n)) - keys.length; round < rounds; round++) {
    if (best === undefined || best.bytes <= goalBytes) break;
    attempt(promoteTop(buffers, best, bestOrder, goalBytes, random));
  }
  return { ...(best as Fit), placements };
}

/** Buffers above the goal go forward by a random part of their way; a few others are swapped. */
function promoteTop(
  { bytes }: Buffers,
  { offsets }: Fit,
  order: Int32Array,
  goal: number,
  random: () => number,
): Int32Array {
  const keys = new Float64Array(bytes.length);
  order.forEach((b, i) => {
    const isHigh = offsets[b]! + bytes[b]! > goal;
    keys[b] = isHigh && random() < 0.7 ? i * random() : random() < 0.02 ? i * (0.5 + random()) : i;
  });
  return order.slice().sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** Lowest hole for each buffer, in this order, among those placed before that live at the same time. */
function place({ lower, upper, bytes }: Buffers, order: Int32Array): Float64Array {
  const offsets = new Float64Array(bytes.length);
  /** Those placed, by offset. */
  const placed = new Int32Array(bytes.length);
  let count = 0;
  for (const b of order) {
    const [from, to, size] = [lower[b]!, upper[b]!, bytes[b]!];
    let offset = 0;
    if (size > 0) {
      for (let i = 0; i < count; i++) {
        const other = placed[i]!;
        if (upper[other]! <= from || lower[other]! >= to) continue;
        if (offsets[other]! >= offset + size) break;
        offset = Math.max(offset, offsets[other]! + bytes[other]!);
      }
    }
    offsets[b] = offset;
    if (size === 0) continue;
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[placed[middle]!]! <= offset) low = middle + 1;
      else high = middle;
    }
    placed.copyWithin(low + 1, low, count);
    placed[low] = b;
    count++;
  }
  return offsets;
}
