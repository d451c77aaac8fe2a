/**
 * The copies of parcels between host memory and the spill file: starts them, takes note of their ends, and returns slots and
 * extents. Which parcel moves and when is the vault's decision; that nothing is returned too early is decided here
 * (Note [Copies own their ends] in parcel.ts).
 */
import type { CopyCommand } from "./copy.ts";
import type { HostPool, HostSlot } from "./host-pool.ts";
import type { InFlightCopy, ParcelRecord } from "./parcel.ts";
import type { SpillExtents } from "./spill-extents.ts";
import type { Stream, StreamEvent } from "./stream.ts";

/** The spill tier and the streams to and from it. */
export interface SpillTier {
  readonly extents: SpillExtents;
  readonly offload: Stream<CopyCommand>;
  readonly prefetch: Stream<CopyCommand>;
}

export class ParcelCopies {
  readonly #pool: HostPool;
  readonly #tier: SpillTier;
  readonly #now: () => number;
  /** Parcels with a copy under way, released ones too, in the order of submission. */
  readonly #inFlight = new Set<ParcelRecord>();
  /** Sizes from here up found no place on the spill tier. Back to Infinity when an extent is returned. */
  #fullFromBytes = Infinity;
  #fullCause: unknown;
  #writtenBytes = 0;
  #readBytes = 0;
  #stallMs = 0;

  constructor(pool: HostPool, tier: SpillTier, now: () => number) {
    this.#pool = pool;
    this.#tier = tier;
    this.#now = now;
  }

  get inFlight(): ReadonlySet<ParcelRecord> {
    return this.#inFlight;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  get stallMs(): number {
    return this.#stallMs;
  }

  /** Why the spill tier takes no more; undefined while it does. */
  get spillFull(): { readonly cause: unknown } | undefined {
    return this.#fullFromBytes < Infinity ? { cause: this.#fullCause } : undefined;
  }

  /** Slot to spill. False when the spill tier has no place for it; the parcel stays in host memory then. */
  startWrite(parcel: ParcelRecord): boolean {
    const { slot } = parcel;
    if (slot === undefined || slot.paddedBytes >= this.#fullFromBytes) return false;
    try {
      parcel.extent = this.#tier.extents.allocate(slot.paddedBytes);
    } catch (error) {
      this.#full(slot.paddedBytes, error);
      return false;
    }
    this.#submit(parcel, "write", parcel.extent, slot);
    return true;
  }

  /** Spill to a slot from the pool, which is the parcel's from now on. */
  startRead(parcel: ParcelRecord, slot: HostSlot): void {
    parcel.slot = slot;
    this.#submit(parcel, "read", parcel.extent!, slot);
  }

  /** A device fills the slot until `event`. */
  startFill(parcel: ParcelRecord, event: StreamEvent): void {
    parcel.copy = { kind: "fill", event };
    this.#inFlight.add(parcel);
  }

  /** Takes note of every copy that has ended. */
  reap(): void {
    for (const parcel of this.#inFlight) if (parcel.copy?.event.isReached === true) this.#settle(parcel);
  }

  /** Blocks until the copy of a parcel ended; returns its error. Throws when the stream cannot tell (dead, or of promises). */
  wait(parcel: ParcelRecord): unknown {
    const { event } = parcel.copy!;
    const startMs = this.#now();
    try {
      event.wait();
    } catch (error) {
      if (!event.isReached) throw error;
    } finally {
      this.#stallMs += this.#now() - startMs;
    }
    return this.#settle(parcel);
  }

  /** Waits for the oldest wanted copy. False when there is none. */
  waitForFirst(isWanted: (parcel: ParcelRecord) => boolean): boolean {
    for (const parcel of this.#inFlight) {
      if (!isWanted(parcel)) continue;
      this.wait(parcel);
      return true;
    }
    return false;
  }

  /** Only for a parcel without a copy under way. */
  dropSlot(parcel: ParcelRecord): void {
    if (parcel.slot !== undefined) this.#pool.free(parcel.slot);
    parcel.slot = undefined;
    parcel.leaving = false;
    parcel.ahead = false;
  }

  /** Returns slot and extent of a released parcel: now, or when its copy has ended. */
  giveBack(parcel: ParcelRecord): void {
    if (parcel.copy !== undefined) return;
    this.dropSlot(parcel);
    if (parcel.extent === undefined) return;
    this.#freeExtent(parcel);
    // Its blocks are on the disk already, so even a full disk has room for as much again.
    this.#fullFromBytes = Infinity;
  }

  async drain(): Promise<void> {
    const events = [...this.#inFlight].flatMap((parcel) => (parcel.copy === undefined ? [] : [parcel.copy.event]));
    await Promise.allSettled(events.map((event) => event.done()));
    this.reap();
  }

  #submit(parcel: ParcelRecord, kind: CopyCommand["kind"], fileOffset: number, slot: HostSlot): void {
    const { offload, prefetch } = this.#tier;
    try {
      const event = (kind === "write" ? offload : prefetch).submit({ kind, fileOffset, slot });
      parcel.copy = { kind, event };
      this.#inFlight.add(parcel);
    } catch (error) {
      // Never submitted, so nothing touches its ends: undo.
      if (kind === "write") this.#freeExtent(parcel);
      else this.dropSlot(parcel);
      throw error;
    }
  }

  /** After the event of a copy, and only then: what it held may move on. Returns the copy's error. */
  #settle(parcel: ParcelRecord): unknown {
    const { kind, event } = parcel.copy!;
    let failure: unknown;
    try {
      event.wait();
    } catch (error) {
      failure = error;
    }
    parcel.copy = undefined;
    this.#inFlight.delete(parcel);
    if (failure === undefined) this.#succeeded(parcel, kind);
    else if (kind === "read") this.dropSlot(parcel);
    else if (kind === "fill") parcel.lost = { cause: failure };
    else {
      // Nothing is lost: the slot still holds the bytes.
      parcel.leaving = false;
      this.#freeExtent(parcel);
      this.#full(0, failure);
    }
    if (parcel.released) this.giveBack(parcel);
    else if (parcel.leaving && parcel.isDroppable) this.dropSlot(parcel);
    else if (parcel.leaving && parcel.isDirty) parcel.leaving = this.startWrite(parcel);
    return failure;
  }

  #succeeded(parcel: ParcelRecord, kind: InFlightCopy["kind"]): void {
    if (kind === "read") this.#readBytes += parcel.bytes;
    else if (kind === "write") {
      parcel.clean = true;
      this.#writtenBytes += parcel.bytes;
    }
  }

  #freeExtent(parcel: ParcelRecord): void {
    if (parcel.extent !== undefined) this.#tier.extents.free(parcel.extent);
    parcel.extent = undefined;
    parcel.clean = false;
  }

  #full(fromBytes: number, cause: unknown): void {
    this.#fullFromBytes = Math.min(this.#fullFromBytes, fromBytes);
    this.#fullCause = cause;
  }
}
