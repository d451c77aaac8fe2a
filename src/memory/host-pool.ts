/**
 * Host memory for data that left the device: exact slots, reused, under a hard budget, inside a few large segments. It places
 * slots and nothing else: who leaves when the pool is full is the vault's business.
 *
 * Invariants: slots and free ranges together tile their segment; the sum of all segments never exceeds the capacity, nor does
 * what is handed out together with what is reserved. A
 * segment never shrinks, so views of it stay valid.
 */
import { VdnnError } from "../errors.ts";
import { GIB, KIB } from "../units.ts";
import { FreeList } from "./free-list.ts";
import type { SegmentMemory, SegmentSource } from "./segments.ts";

/** A buffer in the pool. The padding up to `paddedBytes` belongs to the slot as well: O_DIRECT moves whole pages. */
export interface HostSlot {
  readonly segment: number;
  /** Byte offset in the segment, a multiple of the pool's alignment. */
  readonly offset: number;
  /** Exact size, as asked for. */
  readonly bytes: number;
  /** Size rounded up to the pool's alignment; at least one unit of it. */
  readonly paddedBytes: number;
  /** The exact bytes, over the memory of the segment. */
  readonly view: Uint8Array;
}

export interface HostPoolOptions {
  /** Hard limit in bytes, `Infinity` for none. Memory is taken in pages of 64 KiB, so a smaller remainder stays unused. */
  readonly capacityBytes: number;
  /** Alignment of slots in bytes, a power of two from 64 to 65536. Default 4096, as O_DIRECT wants. */
  readonly alignment?: number;
  /** Size in bytes up to which a segment grows before another one is begun. Default 1 GiB. */
  readonly segmentBytes?: number;
  /** Makes the segments. */
  readonly segments: SegmentSource;
}

interface Segment {
  readonly memory: SegmentMemory;
  /** What the memory can grow to at most. */
  readonly maximumBytes: number;
  bytes: number;
  readonly free: FreeList;
}

interface Growth {
  readonly segment: Segment;
  readonly needBytes: number;
  readonly roomBytes: number;
}

const PAGE_BYTES = 64 * KIB;

export class HostPool {
  readonly capacityBytes: number;
  readonly alignment: number;
  readonly #segmentBytes: number;
  readonly #source: SegmentSource;
  readonly #segments: Segment[] = [];
  readonly #slots = new Set<HostSlot>();
  #usedBytes = 0;
  #reservedBytes = 0;
  #peakBytes = 0;
  #footprintBytes = 0;

  constructor({ capacityBytes, alignment = 4096, segmentBytes = GIB, segments }: HostPoolOptions) {
    this.capacityBytes = capacityBytes;
    this.alignment = alignment;
    this.#segmentBytes = roundDown(segmentBytes, PAGE_BYTES);
    this.#source = segments;
  }

  /** Bytes handed out, padding included, and reserved. */
  get usedBytes(): number {
    return this.#usedBytes + this.#reservedBytes;
  }

  /** The most that `usedBytes` ever was. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Memory grown so far; never more than `capacityBytes`. */
  get footprintBytes(): number {
    return this.#footprintBytes;
  }

  /** The segments by index. `buffer` is a new object after each growth; older ones stay valid for what they cover. */
  get memories(): readonly SegmentMemory[] {
    return this.#segments.map((segment) => segment.memory);
  }

  /** Counts host memory that someone else holds. False when the capacity has no room for it. */
  reserve(bytes: number): boolean {
    if (this.usedBytes + bytes > this.capacityBytes) return false;
    this.#reservedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.usedBytes);
    return true;
  }

  /** The end of a reservation. */
  unreserve(bytes: number): void {
    this.#reservedBytes -= bytes;
  }

  /** A slot of exactly `bytes`, or undefined when it does not fit now. Its content is whatever was there before. */
  allocate(bytes: number): HostSlot | undefined {
    if (!(Number.isSafeInteger(bytes) && bytes >= 0)) {
      const message = `bytes: expected a whole number of bytes, got ${bytes}`;
      throw new VdnnError("ERR_INVALID_OPTION", message, { option: "bytes", got: bytes });
    }
    const paddedBytes = Math.max(this.alignment, roundUp(bytes, this.alignment));
    if (this.usedBytes + paddedBytes > this.capacityBytes) return undefined;
    const segment = this.#bestFit(paddedBytes) ?? (this.#grow(paddedBytes) ? this.#bestFit(paddedBytes) : undefined);
    const offset = segment?.free.take(paddedBytes);
    if (segment === undefined || offset === undefined) return undefined;
    const view = new Uint8Array(segment.memory.buffer, offset, bytes);
    const slot: HostSlot = { segment: this.#segments.indexOf(segment), offset, bytes, paddedBytes, view };
    this.#slots.add(slot);
    this.#usedBytes += paddedBytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.usedBytes);
    return slot;
  }

  /** @throws VdnnError `ERR_HOST_MEMORY` for a slot that is not (or no longer) allocated here */
  free(slot: HostSlot): void {
    if (!this.#slots.delete(slot)) {
      throw new VdnnError(
        "ERR_HOST_MEMORY",
        `free: expected a slot of this pool, got one that is free or foreign (segment ${slot.segment}, offset ${slot.offset}); ` +
          "free each slot once, in its own pool",
        { segment: slot.segment, offset: slot.offset, bytes: slot.bytes },
      );
    }
    this.#usedBytes -= slot.paddedBytes;
    this.#segments[slot.segment]!.free.put(slot.offset, slot.paddedBytes);
  }

  #bestFit(bytes: number): Segment | undefined {
    let best: Segment | undefined;
    let bestBytes = Infinity;
    for (const segment of this.#segments) {
      const fitBytes = segment.free.fit(bytes) ?? Infinity;
      if (fitBytes < bestBytes) {
        best = segment;
        bestBytes = fitBytes;
      }
    }
    return best;
  }

  /**
   * Makes a free range of `bytes` by growing as little as possible: the free tail of a segment counts. A segment grows past
   * `segmentBytes` only when no new one can be begun, so that the last bytes of the capacity are not lost to a boundary.
   */
  #grow(bytes: number): boolean {
    const growths = this.#segments.map((segment): Growth => {
      const needBytes = roundUp(bytes - segment.free.tailBytes(segment.bytes), PAGE_BYTES);
      const roomBytes = Math.min(this.#segmentBytes, segment.maximumBytes) - segment.bytes;
      return { segment, needBytes, roomBytes };
    });
    growths.sort((a, b) => a.needBytes - b.needBytes);
    for (const growth of growths) if (growth.needBytes <= growth.roomBytes && this.#extend(growth)) return true;
    if (this.#begin(bytes)) return true;
    for (const { segment, needBytes } of growths) {
      if (this.#extend({ segment, needBytes, roomBytes: segment.maximumBytes - segment.bytes })) return true;
    }
    return false;
  }

  /** Begins a segment with room for `bytes`. */
  #begin(bytes: number): boolean {
    const needBytes = roundUp(bytes, PAGE_BYTES);
    const leftBytes = roundDown(this.capacityBytes - this.#footprintBytes, PAGE_BYTES);
    if (needBytes > this.#source.maximumBytes || needBytes > leftBytes) return false;
    const segmentBytes = this.#segmentBytes;
    const sizes = this.#source.sizes({ needBytes, leftBytes, segmentBytes, footprintBytes: this.#footprintBytes });
    for (const size of sizes) {
      const maximumBytes = roundUp(size, PAGE_BYTES);
      try {
        const memory = this.#source.begin(maximumBytes);
        const segment: Segment = { memory, maximumBytes, bytes: 0, free: new FreeList() };
        const roomBytes = Math.min(maximumBytes, Math.max(segmentBytes, needBytes));
        if (!this.#extend({ segment, needBytes, roomBytes })) continue;
        this.#segments.push(segment);
        return true;
      } catch {
        // RangeError: no address space left for this maximum
      }
    }
    return false;
  }

  #extend({ segment, needBytes, roomBytes }: Growth): boolean {
    const leftBytes = roundDown(this.capacityBytes - this.#footprintBytes, PAGE_BYTES);
    if (needBytes > leftBytes || segment.bytes + needBytes > segment.maximumBytes) return false;
    const bytes = Math.max(needBytes, Math.min(this.#source.stepBytes, leftBytes, roomBytes));
    try {
      segment.memory.grow(bytes);
    } catch {
      return false; // RangeError: the system has no more memory to give
    }
    segment.free.put(segment.bytes, bytes);
    segment.bytes += bytes;
    this.#footprintBytes += bytes;
    return true;
  }
}

/** The slot with its padding: whole aligned pages, as O_DIRECT wants. */
export function paddedView(slot: HostSlot): Uint8Array {
  return new Uint8Array(slot.view.buffer, slot.view.byteOffset, slot.paddedBytes);
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

function roundDown(bytes: number, unit: number): number {
  return Math.floor(bytes / unit) * unit;
}
