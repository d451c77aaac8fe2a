/**
 * Who leaves host memory when room is needed there: whoever is needed last, to the spill tier. It waits for copies only when it
 * must, by blocking where the streams can block, else as a promise.
 */
import type { VdnnError } from "../errors.ts";
import type { HostPool, HostSlot } from "./host-pool.ts";
import type { ParcelCopies, SpillTier } from "./parcel-copies.ts";
import type { ParcelRecord } from "./parcel.ts";
import { hostShortage } from "./vault-errors.ts";

export interface HostRoomOptions {
  readonly pool: HostPool;
  readonly tier: SpillTier;
  readonly copies: ParcelCopies;
  /** Those that are not released. */
  readonly parcels: ReadonlySet<ParcelRecord>;
  /** Share of host memory that may hold bytes with no copy on spill before writing in the background starts. */
  readonly highWater: number;
}

/** Background writes stop here, so that `submit` does not block on a full ring. */
const MAX_BACKGROUND_COPIES = 64;

export class HostRoom {
  /** What lies on the spill tier can be had by blocking. */
  readonly canBlock: boolean;
  readonly #pool: HostPool;
  readonly #tier: SpillTier;
  readonly #copies: ParcelCopies;
  readonly #parcels: ReadonlySet<ParcelRecord>;
  readonly #highWaterBytes: number;

  constructor({ pool, tier, copies, parcels, highWater }: HostRoomOptions) {
    this.canBlock = tier.prefetch.canBlock;
    this.#pool = pool;
    this.#tier = tier;
    this.#copies = copies;
    this.#parcels = parcels;
    this.#highWaterBytes = highWater * pool.capacityBytes;
  }

  /** A slot for reading a parcel back, if one is free or held by a copy of data that is needed later. */
  takeNow({ bytes, nextUse }: ParcelRecord): HostSlot | undefined {
    let slot = this.#pool.allocate(bytes);
    while (slot === undefined && this.#dropLast((other) => other.isDroppable && other.nextUse > nextUse))
      slot = this.#pool.allocate(bytes);
    return slot;
  }

  /** Resolves when something has left host memory. @throws VdnnError `ERR_HOST_MEMORY` when nothing can */
  async make(bytes: number): Promise<void> {
    if (this.#dropLast((parcel) => parcel.isDroppable && !parcel.ahead)) return;
    this.#startWrites(bytes);
    const first = [...this.#copies.inFlight].find(({ copy }) => copy?.kind !== "read");
    if (first?.copy === undefined) throw this.shortage(bytes);
    // Its own error is for whoever needs it.
    await Promise.allSettled([first.copy.event.done()]);
    this.#copies.reap();
  }

  /** Resolves when everything that may is on the spill tier too, so that its slots can be taken without waiting. */
  async writeBehind(): Promise<void> {
    if (this.canBlock || this.#pool.peakBytes <= this.#highWaterBytes) return;
    for (;;) {
      this.#copies.reap();
      this.writeInBackground(0);
      const writes = [...this.#copies.inFlight].flatMap(({ copy }) =>
        copy?.kind === "write" ? [copy.event.done()] : [],
      );
      if (writes.length === 0) return;
      await Promise.allSettled(writes);
    }
  }

  /** Each round frees a slot or ends a copy, so it ends: with a slot, or with nothing left that could leave. */
  take(bytes: number): HostSlot {
    while (bytes <= this.#pool.capacityBytes) {
      this.#copies.reap();
      const slot = this.#pool.allocate(bytes);
      if (slot !== undefined) return slot;
      if (this.#dropLast((parcel) => parcel.isDroppable && !parcel.ahead)) continue;
      this.#startWrites(bytes);
      if (!this.canBlock) break;
      if (this.#copies.waitForFirst((parcel) => parcel.isMakingRoom)) continue;
      // Then reading ahead was for nothing, but it costs no write: the extent still holds the bytes.
      if (this.#dropLast((parcel) => parcel.isDroppable)) continue;
      if (!this.#copies.waitForFirst((parcel) => parcel.copy?.kind === "read")) break;
    }
    throw this.shortage(bytes);
  }

  /** Writes out who is needed last, until what is under way makes room for `bytes`. */
  #startWrites(bytes: number): void {
    let coming = 0;
    for (const parcel of this.#copies.inFlight) if (parcel.isMakingRoom) coming += parcel.slot?.paddedBytes ?? 0;
    for (const parcel of this.#dirtyLastFirst()) {
      if (coming >= bytes) return;
      if (this.#copies.startWrite(parcel)) coming += parcel.slot?.paddedBytes ?? 0;
    }
  }

  /** Keeps a share of host memory free to take at once: writes early who is needed last, but leaves the slot. */
  writeInBackground(limit: number = this.#highWaterBytes): void {
    if (this.#pool.usedBytes <= limit) return;
    const dirty = this.#dirtyLastFirst();
    let bytes = dirty.reduce((sum, parcel) => sum + (parcel.slot?.paddedBytes ?? 0), 0);
    for (const parcel of dirty) {
      if (bytes <= limit || this.#copies.inFlight.size >= MAX_BACKGROUND_COPIES) return;
      if (this.#copies.startWrite(parcel)) bytes -= parcel.slot?.paddedBytes ?? 0;
    }
  }

  #dirtyLastFirst(): ParcelRecord[] {
    return [...this.#parcels].filter((parcel) => parcel.isDirty).sort((a, b) => b.nextUse - a.nextUse);
  }

  /** Drops the slot of the wanted parcel that is needed last. */
  #dropLast(isWanted: (parcel: ParcelRecord) => boolean): boolean {
    let last: ParcelRecord | undefined;
    for (const parcel of this.#parcels) {
      if (isWanted(parcel) && (last === undefined || parcel.nextUse > last.nextUse)) last = parcel;
    }
    if (last !== undefined) this.#copies.dropSlot(last);
    return last !== undefined;
  }

  /** Why there is no slot of that size. */
  shortage(bytes: number): VdnnError {
    const full = this.#copies.spillFull;
    let why = "nothing more can leave; raise --host-memory";
    if (full !== undefined) why = "the spill tier takes no more; make room for --spill, or raise --host-memory";
    else if (!this.canBlock) why = "nothing more can leave before the training call waits; raise --host-memory";
    return hostShortage(this.#pool, bytes, why, this.#tier.extents.usedBytes, full);
  }
}
