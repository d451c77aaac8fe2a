/**
 * Where data is while it is away from the device: host memory first, the spill file behind it. It starts the copies between
 * them and waits for them only when it must. It knows nothing of tensors, plans or backends.
 *
 * Invariant: the bytes of every live parcel are in its slot or in its extent, and neither is given back while a copy on it is
 * under way (Note [Copies own their ends] in parcel.ts).
 */
import { VdnnError } from "../errors.ts";
import type { CopyCommand } from "./copy.ts";
import type { HostPool, HostSlot } from "./host-pool.ts";
import { HostRoom } from "./host-room.ts";
import { type Parcel, ParcelRecord } from "./parcel.ts";
import { ParcelCopies, type SpillTier } from "./parcel-copies.ts";
import type { SpillStore } from "./spill-extents.ts";
import type { Stream, StreamEvent } from "./stream.ts";

export type { Parcel } from "./parcel.ts";

export interface VaultOptions {
  readonly pool: HostPool;
  /** The tier behind host memory; its alignment must divide the pool's. Closed with the vault. */
  readonly spill?: SpillStore | undefined;
  /** Writes host slots to the spill file; needed with `spill`. Closed with the vault. */
  readonly offloadStream?: Stream<CopyCommand> | undefined;
  /** Reads them back. Default: the offload stream. Closed with the vault. */
  readonly prefetchStream?: Stream<CopyCommand> | undefined;
  /** Clock in ms. */
  readonly now: () => number;
  /** Share of host memory that may hold bytes with no copy on spill before writing in the background starts. Default 0.5. */
  readonly highWater?: number | undefined;
}

export interface VaultStats {
  readonly hostBytes: number;
  readonly peakHostBytes: number;
  readonly spillBytes: number;
  readonly peakSpillBytes: number;
  /** Bytes written to and read from the spill file since the start, padding not counted. */
  readonly spillWriteBytes: number;
  readonly spillReadBytes: number;
  /** Time blocked on copies. */
  readonly stallMs: number;
}

export class Vault {
  readonly #pool: HostPool;
  readonly #spill: SpillStore | undefined;
  readonly #tier: SpillTier | undefined;
  readonly #streams: readonly Stream<CopyCommand>[];
  readonly #copies: ParcelCopies;
  readonly #room: HostRoom;
  readonly #live = new Set<ParcelRecord>();
  #opened: ParcelRecord | undefined;
  #closing: Promise<void> | undefined;

  constructor({ pool, spill, offloadStream, prefetchStream, now, highWater = 0.5 }: VaultOptions) {
    this.#pool = pool;
    this.#streams = [offloadStream, prefetchStream].filter((stream) => stream !== undefined);
    if (spill !== undefined) {
      if (offloadStream === undefined || pool.alignment % spill.extents.alignment !== 0) {
        const message =
          `vault: a spill file needs an offload stream and an alignment that divides the pool's, ` +
          `got ${spill.extents.alignment} and ${pool.alignment}`;
        throw new VdnnError("ERR_INVALID_OPTION", message, { option: "spill" });
      }
      this.#spill = spill;
      this.#tier = { extents: spill.extents, offload: offloadStream, prefetch: prefetchStream ?? offloadStream };
    }
    this.#copies = new ParcelCopies(pool, this.#tier, now);
    this.#room = new HostRoom({ pool, tier: this.#tier, copies: this.#copies, parcels: this.#live, highWater });
  }

  get stats(): VaultStats {
    return {
      hostBytes: this.#pool.usedBytes,
      peakHostBytes: this.#pool.peakBytes,
      spillBytes: this.#tier?.extents.usedBytes ?? 0,
      peakSpillBytes: this.#tier?.extents.peakBytes ?? 0,
      spillWriteBytes: this.#copies.writtenBytes,
      spillReadBytes: this.#copies.readBytes,
      stallMs: this.#copies.stallMs,
    };
  }

  /** What lies on the spill tier can be opened at once, by blocking. False where it has to be awaited (`arrival`). */
  get canBlock(): boolean {
    return this.#room.canBlock;
  }

  /**
   * Takes data in; `fill` copies it into the slot before this returns. May wait for others to leave.
   * @param nextUse larger = needed later; only the order counts
   * @param stays it never leaves host memory
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had
   */
  put(bytes: number, nextUse: number, fill: (slot: HostSlot) => void, stays = false): Parcel {
    return this.#store(bytes, nextUse, stays, (slot) => {
      fill(slot);
      return undefined;
    });
  }

  /**
   * Takes in data that arrives later: `fill` starts the copy into the slot and returns the event of its end. Until then
   * nothing can open the parcel. While it travels it lies in the device's staging buffer as well, which is host memory and
   * counted as such.
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had
   */
  putLater(bytes: number, nextUse: number, fill: (slot: HostSlot) => StreamEvent, stays = false): Parcel {
    if (!this.#pool.reserve(bytes)) throw this.#room.shortage(bytes);
    const arrived = (): void => this.#pool.unreserve(bytes);
    try {
      return this.#store(bytes, nextUse, stays, (slot) => {
        const event = fill(slot);
        void event.done().then(arrived, arrived);
        return event;
      });
    } catch (error) {
      arrived();
      throw error;
    }
  }

  #store(bytes: number, nextUse: number, stays: boolean, fill: (slot: HostSlot) => StreamEvent | undefined): Parcel {
    if (this.#closing !== undefined) throw new VdnnError("ERR_STREAM", "vault: used after close");
    const slot = this.#room.take(bytes);
    const parcel = new ParcelRecord(bytes, nextUse, slot, stays);
    try {
      const event = fill(slot);
      if (event !== undefined) this.#copies.startFill(parcel, event);
    } catch (error) {
      this.#pool.free(slot);
      throw error;
    }
    this.#live.add(parcel);
    this.#room.writeInBackground();
    return parcel;
  }

  /** Nobody can open it without awaiting `arrival`: its bytes are on their way to host memory, or have to be fetched there. */
  isArriving(parcel: Parcel): boolean {
    const { copy, slot } = this.#record(parcel);
    if (copy?.kind === "fill") return !copy.event.isReached;
    if (this.canBlock) return false;
    return slot === undefined || (copy?.kind === "read" && !copy.event.isReached);
  }

  /**
   * Resolves when the parcel can be opened without waiting, having fetched it from the spill tier if it was there; null when it
   * can be already. It stays in host memory until it is opened, unless others that are needed sooner have to be fetched.
   *
   * @returns a promise that rejects with `ERR_HOST_MEMORY` when it finds no room there, `ERR_SPILL` when reading fails, and
   * with the device's own error when the bytes will never come
   */
  arrival(parcel: Parcel): Promise<void> | null {
    const record = this.#record(parcel);
    this.#copies.reap();
    if (record.copy?.kind === "fill") return record.copy.event.done();
    if (record.copy?.kind !== "read" && record.slot !== undefined) {
      record.leaving = false;
      this.claim(parcel);
      return null;
    }
    // Where it can block, `open` makes room for what finds none now.
    return this.canBlock && !this.readAhead(record) ? null : this.#fetch(record);
  }

  async #fetch(record: ParcelRecord): Promise<void> {
    while (!record.released && !(record.slot !== undefined && record.copy?.kind !== "read")) {
      if (this.readAhead(record)) await record.copy?.event.done();
      else await this.#room.make(record.bytes);
      this.#copies.reap();
    }
  }

  /** Where the spill tier has to be awaited: the parcel stays in host memory until it is opened or `unclaim` is called. */
  claim(parcel: Parcel): void {
    if (!this.canBlock) this.#record(parcel).ahead = true;
  }

  /** A stretch of work that could not wait has ended, and with it all claims. */
  unclaim(): void {
    if (!this.canBlock) for (const parcel of this.#live) parcel.ahead = false;
  }

  /** Writes to the spill tier what a stretch of work that cannot wait would find in its way, if host memory was ever short. */
  writeBehind(): Promise<void> {
    return this.#room.writeBehind();
  }

  /** Resolves when nothing is on its way into the vault any more, arrived or lost. */
  async arrivals(): Promise<void> {
    for (;;) {
      const events = [...this.#copies.inFlight].flatMap(({ copy }) =>
        copy?.kind === "fill" && !copy.event.isReached ? [copy.event.done()] : [],
      );
      if (events.length === 0) break;
      await Promise.allSettled(events);
    }
    this.#copies.reap();
  }

  /** A wish, and the end of the use of an opened slot. `spill`: write it now and give the slot up; `host`: stay if possible. */
  prefer(parcel: Parcel, tier: "host" | "spill"): void {
    const record = this.#record(parcel);
    this.#copies.reap();
    record.pinned = false;
    record.leaving = tier === "spill" && record.slot !== undefined && !record.stays;
    if (!record.leaving) return;
    if (record.isDroppable) this.#copies.dropSlot(record);
    else if (record.isDirty) record.leaving = this.#copies.startWrite(record);
  }

  /** Starts reading back from spill. False when there is no room now; true when in host memory already or on the way. */
  readAhead(parcel: Parcel): boolean {
    const record = this.#record(parcel);
    this.#copies.reap();
    record.leaving = false;
    if (record.slot !== undefined) return true;
    const slot = this.#room.takeNow(record);
    if (slot === undefined) return false;
    record.ahead = true;
    this.#copies.startRead(record, slot);
    return true;
  }

  /**
   * Blocks until the bytes are in a host slot. They are to be read, not changed, and the slot stays theirs until `release`,
   * `prefer` or the next `open`.
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had, `ERR_SPILL` when reading back fails
   */
  open(parcel: Parcel): HostSlot {
    const record = this.#record(parcel);
    if (this.#opened !== undefined) this.#opened.pinned = false;
    this.#copies.reap();
    record.leaving = false;
    if (record.copy?.kind === "fill") this.#copies.wait(record);
    if (record.lost !== undefined) throw record.lost.cause;
    let error = record.copy?.kind === "read" ? this.#copies.wait(record) : undefined;
    if (record.slot === undefined) {
      this.#copies.startRead(record, this.#room.take(record.bytes));
      error = this.#copies.wait(record);
    }
    if (record.slot === undefined) throw error;
    record.pinned = true;
    record.ahead = false;
    this.#opened = record;
    return record.slot;
  }

  /** Ends the data. Slot and extent return at once, or when the copy on them has ended. */
  release(parcel: Parcel): void {
    const record = this.#record(parcel);
    this.#live.delete(record);
    record.released = true;
    record.pinned = false;
    if (this.#opened === record) this.#opened = undefined;
    this.#copies.giveBack(record);
    this.#copies.reap();
  }

  /** Releases everything, closes the streams and the spill file. The pool stays usable. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  #record(parcel: Parcel): ParcelRecord {
    if (parcel instanceof ParcelRecord && this.#live.has(parcel)) return parcel;
    const message = "vault: expected a parcel of this vault that was not released; each parcel is released once";
    throw new VdnnError("ERR_DATA_DROPPED", message, { bytes: parcel.bytes });
  }

  async #drain(): Promise<void> {
    for (const parcel of this.#live) this.release(parcel);
    await this.#copies.drain();
    await Promise.all(this.#streams.map((stream) => stream.close()));
    await this.#spill?.close();
  }
}
