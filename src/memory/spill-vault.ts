/**
 * A vault with a spill file behind host memory. It starts the copies between them and waits for them only when it must.
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
import { dropped } from "./vault-errors.ts";
import { type Vault, type VaultStats, whileStaged } from "./vault.ts";

export interface SpillVaultOptions {
  readonly pool: HostPool;
  /** The tier behind host memory; its alignment must divide the pool's. Closed with the vault. */
  readonly spill: SpillStore;
  /** Writes host slots to the spill file. Closed with the vault. */
  readonly offloadStream: Stream<CopyCommand>;
  /** Reads them back. Default: the offload stream. Closed with the vault. */
  readonly prefetchStream?: Stream<CopyCommand> | undefined;
  /** Clock in ms. */
  readonly now: () => number;
  /** Share of host memory that may hold bytes with no copy on spill before writing in the background starts. Default 0.5. */
  readonly highWater?: number | undefined;
}

export class SpillVault implements Vault {
  readonly #pool: HostPool;
  readonly #spill: SpillStore;
  readonly #streams: readonly Stream<CopyCommand>[];
  readonly #copies: ParcelCopies;
  readonly #room: HostRoom;
  readonly #live = new Set<ParcelRecord>();
  #opened: ParcelRecord | undefined;
  #closing: Promise<void> | undefined;

  /** @throws VdnnError `ERR_INVALID_OPTION` when the spill file's alignment does not divide the pool's */
  constructor({ pool, spill, offloadStream, prefetchStream, now, highWater = 0.5 }: SpillVaultOptions) {
    const { extents } = spill;
    if (pool.alignment % extents.alignment !== 0) {
      const message = `vault: expected a spill file whose alignment divides the pool's ${pool.alignment}, got ${extents.alignment}`;
      throw new VdnnError("ERR_INVALID_OPTION", message, { option: "spill" });
    }
    const tier: SpillTier = { extents, offload: offloadStream, prefetch: prefetchStream ?? offloadStream };
    this.#pool = pool;
    this.#spill = spill;
    this.#streams = [tier.offload, tier.prefetch];
    this.#copies = new ParcelCopies(pool, tier, now);
    this.#room = new HostRoom({ pool, tier, copies: this.#copies, parcels: this.#live, highWater });
  }

  get stats(): VaultStats {
    return {
      hostBytes: this.#pool.usedBytes,
      peakHostBytes: this.#pool.peakBytes,
      spillBytes: this.#spill.extents.usedBytes,
      peakSpillBytes: this.#spill.extents.peakBytes,
      spillWriteBytes: this.#copies.writtenBytes,
      spillReadBytes: this.#copies.readBytes,
      stallMs: this.#copies.stallMs,
    };
  }

  get canBlock(): boolean {
    return this.#room.canBlock;
  }

  put(bytes: number, nextUse: number, fill: (slot: HostSlot) => void, stays = false): Parcel {
    return this.#store(bytes, nextUse, stays, (slot) => {
      fill(slot);
      return undefined;
    });
  }

  putLater(bytes: number, nextUse: number, fill: (slot: HostSlot) => StreamEvent, stays = false): Parcel {
    const store = (staged: (slot: HostSlot) => StreamEvent): Parcel => this.#store(bytes, nextUse, stays, staged);
    return whileStaged(this.#pool, bytes, fill, store, () => this.#room.shortage(bytes));
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

  isArriving(parcel: Parcel): boolean {
    const { copy, slot } = this.#record(parcel);
    if (copy?.kind === "fill") return !copy.event.isReached;
    if (this.canBlock) return false;
    return slot === undefined || (copy?.kind === "read" && !copy.event.isReached);
  }

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

  claim(parcel: Parcel): void {
    if (!this.canBlock) this.#record(parcel).ahead = true;
  }

  unclaim(): void {
    if (!this.canBlock) for (const parcel of this.#live) parcel.ahead = false;
  }

  writeBehind(): Promise<void> {
    return this.#room.writeBehind();
  }

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

  prefer(parcel: Parcel, tier: "host" | "spill"): void {
    const record = this.#record(parcel);
    this.#copies.reap();
    record.pinned = false;
    record.leaving = tier === "spill" && record.slot !== undefined && !record.stays;
    if (!record.leaving) return;
    if (record.isDroppable) this.#copies.dropSlot(record);
    else if (record.isDirty) record.leaving = this.#copies.startWrite(record);
  }

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

  release(parcel: Parcel): void {
    const record = this.#record(parcel);
    this.#live.delete(record);
    record.released = true;
    record.pinned = false;
    if (this.#opened === record) this.#opened = undefined;
    this.#copies.giveBack(record);
    this.#copies.reap();
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  #record(parcel: Parcel): ParcelRecord {
    if (parcel instanceof ParcelRecord && this.#live.has(parcel)) return parcel;
    throw dropped(parcel);
  }

  async #drain(): Promise<void> {
    for (const parcel of this.#live) this.release(parcel);
    await this.#copies.drain();
    await Promise.all(this.#streams.map((stream) => stream.close()));
    await this.#spill.close();
  }
}
