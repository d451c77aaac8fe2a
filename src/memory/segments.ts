/**
 * What host memory is made of. A pool places slots in segments; a source makes them.
 */
import { GIB, MIB } from "../units.ts";

/** Memory that grows in place: views of what was there stay valid. */
export interface SegmentMemory {
  /** May be a new object after each growth. */
  readonly buffer: ArrayBufferLike;
  /** @throws RangeError when the system has no more memory to give */
  grow(bytes: number): void;
}

/** What a new segment is wanted for, in bytes. */
export interface SegmentNeed {
  /** What it must hold. */
  readonly needBytes: number;
  /** What the pool's capacity has left. */
  readonly leftBytes: number;
  /** What all segments hold so far. */
  readonly footprintBytes: number;
  /** What it should grow to before another one is begun. */
  readonly segmentBytes: number;
}

export interface SegmentSource {
  /** Growing step in bytes, where the capacity allows it. */
  readonly stepBytes: number;
  /** A segment is never larger. */
  readonly maximumBytes: number;
  /** Sizes to which a new segment may grow, best first. */
  sizes(need: SegmentNeed): readonly number[];
  /** An empty segment that can grow to `maximumBytes`. @throws RangeError when the system refuses that much */
  begin(maximumBytes: number): SegmentMemory;
}

/** Size of the first buffer in a pool without a capacity; each further one is as large as all before it. */
const FIRST_BYTES = 64 * MIB;

/**
 * Ordinary `ArrayBuffer`s, which every browser has, in any context, and every API takes. They cannot grow, so each is made in its
 * whole size: the system gives pages when they are first touched.
 */
export const ARRAY_SEGMENTS: SegmentSource = {
  stepBytes: Infinity,
  maximumBytes: 4 * GIB,
  sizes({ needBytes, leftBytes, footprintBytes, segmentBytes }) {
    const wanted = leftBytes === Infinity ? Math.max(FIRST_BYTES, footprintBytes) : leftBytes;
    const sizes: number[] = [];
    for (let bytes = Math.min(wanted, segmentBytes); bytes > needBytes; bytes = Math.floor(bytes / 2))
      sizes.push(bytes);
    return [...sizes, needBytes];
  },
  begin: (maximumBytes) => ({ buffer: new ArrayBuffer(maximumBytes), grow: () => undefined }),
};
