/**
 * What the vault knows of one piece of data: where its bytes are, and which copy of them is under way. The states that occur:
 *
 *   slot   extent  copy    clean   tier
 *   yes    -       -       no      host       only copy
 *   yes    yes     write   no      host       (in-flight when it is to leave) the slot is still the only copy
 *   yes    yes     -       yes     host       either may go
 *   -      yes     -       yes     spill      only copy
 *   yes    yes     read    yes     in-flight  the slot is not readable yet
 *   yes    -       fill    no      in-flight  the bytes are still on their way from a device that cannot block
 *
 * Note [Copies own their ends]. While a copy is submitted and not reached, its slot and its extent stay with the parcel, no
 * matter what happens to it (released, cancelled, wanted elsewhere): the thread may still be reading or writing them. Both
 * return to pool and file only in `settle`, after the event. So no copy ever touches memory that has another owner.
 */
import type { HostSlot } from "./host-pool.ts";
import type { StreamEvent } from "./stream.ts";

/** Data in the vault. Opaque: only the vault that made it can use it. */
export interface Parcel {
  /** Exact size. */
  readonly bytes: number;
  readonly tier: "host" | "in-flight" | "spill";
}

export interface InFlightCopy {
  readonly kind: "write" | "read" | "fill";
  readonly event: StreamEvent;
}

export class ParcelRecord implements Parcel {
  readonly bytes: number;
  /** Larger = needed later. */
  readonly nextUse: number;
  slot: HostSlot | undefined;
  /** Byte offset in the spill file. Kept after reading back, so that leaving again costs no write. */
  extent: number | undefined;
  /** At most one copy at a time. */
  copy: InFlightCopy | undefined;
  /** The extent holds the bytes. */
  clean = false;
  /** The slot was handed out by `open` and is in use. */
  pinned = false;
  /** Gives its slot up as soon as it is clean. */
  leaving = false;
  /** Was read ahead of its use and not opened yet. */
  ahead = false;
  /** Never leaves host memory: whoever needs it could not wait for the spill tier. */
  readonly stays: boolean;
  released = false;
  /** Why the bytes never came: the device was lost while they were on their way. */
  lost: { readonly cause: unknown } | undefined;

  constructor(bytes: number, nextUse: number, slot: HostSlot, stays: boolean) {
    this.bytes = bytes;
    this.nextUse = nextUse;
    this.stays = stays;
    this.slot = slot;
  }

  get tier(): Parcel["tier"] {
    const kind = this.copy?.kind;
    if (kind === "read" || kind === "fill" || (kind === "write" && this.leaving)) return "in-flight";
    return this.slot === undefined ? "spill" : "host";
  }

  /** The slot could go at once: the bytes are in the extent, and nobody reads or fills the slot. */
  get isDroppable(): boolean {
    return this.slot !== undefined && this.clean && this.copy === undefined && !this.pinned;
  }

  /** The slot holds the only copy and a write of it can be started. */
  get isDirty(): boolean {
    return this.slot !== undefined && !this.clean && this.copy === undefined && !this.pinned && !this.stays;
  }

  /** The copy in flight gives room when it ends: the slot becomes free or droppable. */
  get isMakingRoom(): boolean {
    // Nobody can block on a device that fills a slot.
    if (this.copy === undefined || (this.copy.kind === "fill" && !this.copy.event.isReached)) return false;
    return this.released || this.leaving || (this.copy.kind === "write" && !this.pinned);
  }
}
