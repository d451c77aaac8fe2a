/**
 * Where data is while it is away from the device: host memory first, the spill file behind it. It decides who leaves host
 * memory when room is needed (whoever is needed last), starts the copies, and waits for them only when it must. It knows
 * nothing of tensors, plans or backends.
 *
 * Invariant: the bytes of every live parcel are in its slot or in its extent, and neither is given back while a copy on it is
 * under way (Note [Copies own their ends] in parcel.ts).
 */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { CopyCommand } from "./copy.ts";
import type { HostPool, HostSlot } from "./host-pool.ts";
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

/** Background writes stop here, so that `submit` does not block on a full ring. */
const MAX_BACKGROUND_COPIES = 64;

export class Vault {
  readonly #pool: HostPool;
  readonly #spill: SpillStore | undefined;
  readonly #tier: SpillTier | undefined;
  readonly #streams: readonly Stream<CopyCommand>[];
  readonly #copies: ParcelCopies;
  readonly #highWater: number;
  readonly #live = new Set<ParcelRecord>();
  #opened: ParcelRecord | undefined;
  #closing: Promise<void> | undefined;

  constructor({ pool, spill, offloadStream, prefetchStream, now, highWater = 0.5 }: VaultOptions) {
    this.#pool = pool;
    this.#streams = [offloadStream, prefetchStream].filter((stream) => stream !== undefined);
    this.#highWater = highWater;
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

  /**
   * Takes data in; `fill` copies it into the slot before this returns. May wait for others to leave.
   * @param nextUse larger = needed later; only the order counts
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had
   */
  put(bytes: number, nextUse: number, fill: (slot: HostSlot) => void): Parcel {
    return this.#store(bytes, nextUse, (slot) => {
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
  putLater(bytes: number, nextUse: number, fill: (slot: HostSlot) => StreamEvent): Parcel {
    if (!this.#pool.reserve(bytes)) throw this.#noRoom(bytes);
    const arrived = (): void => this.#pool.unreserve(bytes);
    try {
      return this.#store(bytes, nextUse, (slot) => {
        const event = fill(slot);
        void event.done().then(arrived, arrived);
        return event;
      });
    } catch (error) {
      arrived();
      throw error;
    }
  }

  #store(bytes: number, nextUse: number, fill: (slot: HostSlot) => StreamEvent | undefined): Parcel {
    if (this.#closing !== undefined) throw new VdnnError("ERR_STREAM", "vault: used after close");
    const slot = this.#takeSlot(bytes);
    const parcel = new ParcelRecord(bytes, nextUse, slot);
    try {
      const event = fill(slot);
      if (event !== undefined) this.#copies.startFill(parcel, event);
    } catch (error) {
      this.#pool.free(slot);
      throw error;
    }
    this.#live.add(parcel);
    this.#writeInBackground();
    return parcel;
  }

  /** The bytes of a parcel are still on their way into the vault. */
  isArriving(parcel: Parcel): boolean {
    const { copy } = this.#record(parcel);
    return copy?.kind === "fill" && !copy.event.isReached;
  }

  /** Resolves when the bytes of a parcel are in the vault; null when they are. Rejects when they will never be. */
  arrival(parcel: Parcel): Promise<void> | null {
    return this.isArriving(parcel) ? (this.#record(parcel).copy?.event.done() ?? null) : null;
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
    record.leaving = tier === "spill" && record.slot !== undefined;
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
    const later = (other: ParcelRecord): boolean => other.isDroppable && other.nextUse > record.nextUse;
    let slot = this.#pool.allocate(record.bytes);
    while (slot === undefined && this.#dropLast(later)) slot = this.#pool.allocate(record.bytes);
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
      this.#copies.startRead(record, this.#takeSlot(record.bytes));
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

  /** Each round frees a slot or ends a copy, so it ends: with a slot, or with nothing left that could leave. */
  #takeSlot(bytes: number): HostSlot {
    while (bytes <= this.#pool.capacityBytes) {
      this.#copies.reap();
      const slot = this.#pool.allocate(bytes);
      if (slot !== undefined) return slot;
      if (this.#dropLast((parcel) => parcel.isDroppable && !parcel.ahead)) continue;
      this.#startWrites(bytes);
      if (this.#copies.waitForFirst((parcel) => parcel.isMakingRoom)) continue;
      // Then reading ahead was for nothing, but it costs no write: the extent still holds the bytes.
      if (this.#dropLast((parcel) => parcel.isDroppable)) continue;
      if (!this.#copies.waitForFirst((parcel) => parcel.copy?.kind === "read")) break;
    }
    throw this.#noRoom(bytes);
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
  #writeInBackground(): void {
    const limit = this.#highWater * this.#pool.capacityBytes;
    if (this.#tier === undefined || this.#pool.usedBytes <= limit) return;
    const dirty = this.#dirtyLastFirst();
    let bytes = dirty.reduce((sum, parcel) => sum + (parcel.slot?.paddedBytes ?? 0), 0);
    for (const parcel of dirty) {
      if (bytes <= limit || this.#copies.inFlight.size >= MAX_BACKGROUND_COPIES) return;
      if (this.#copies.startWrite(parcel)) bytes -= parcel.slot?.paddedBytes ?? 0;
    }
  }

  #dirtyLastFirst(): ParcelRecord[] {
    return [...this.#live].filter((parcel) => parcel.isDirty).sort((a, b) => b.nextUse - a.nextUse);
  }

  /** Drops the slot of the wanted parcel that is needed last. */
  #dropLast(isWanted: (parcel: ParcelRecord) => boolean): boolean {
    let last: ParcelRecord | undefined;
    for (const parcel of this.#live) {
      if (isWanted(parcel) && (last === undefined || parcel.nextUse > last.nextUse)) last = parcel;
    }
    if (last !== undefined) this.#copies.dropSlot(last);
    return last !== undefined;
  }

  #noRoom(bytes: number): VdnnError {
    const { capacityBytes, usedBytes } = this.#pool;
    const freeBytes = capacityBytes - usedBytes;
    const full = this.#copies.spillFull;
    let why = "nothing more can leave; raise --host-memory";
    if (this.#tier === undefined) why = "there is no spill tier; raise --host-memory or add --spill DIR";
    else if (full !== undefined) why = "the spill tier takes no more; make room for --spill, or raise --host-memory";
    return new VdnnError(
      "ERR_HOST_MEMORY",
      `needs ${formatBytes(bytes)} of host memory but ${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} ` +
        `is free and ${why}`,
      { needBytes: bytes, freeBytes, capacityBytes, spillBytes: this.#tier?.extents.usedBytes ?? 0 },
      full,
    );
  }

  async #drain(): Promise<void> {
    for (const parcel of this.#live) this.release(parcel);
    await this.#copies.drain();
    await Promise.all(this.#streams.map((stream) => stream.close()));
    await this.#spill?.close();
  }
}
