/**
 * The residency table: every device buffer of one backend and where its bytes are. Its parts are the exact ledger of what is on
 * the device, the transfers out of it and back, the room that is made on it, and the clock by which a kernel holds its inputs.
 *
 * TF.js's own fault handler, `engine.moveData`, asks here for data that a kernel touches while it is away. That is the safety
 * net; planned prefetch is the normal way.
 */
import PQueue from "p-queue";
import type { DeviceAdapter } from "../backends/adapter.ts";
import { hasCode, VdnnError } from "../errors.ts";
import type { Stream } from "../memory/stream.ts";
import type { Vault } from "../memory/vault.ts";
import { awayBackend } from "./away-backend.ts";
import type { Block } from "./block.ts";
import { type DataId, type Engine, type Values, viewAs } from "./engine.ts";
import { KernelClock } from "./kernel-clock.ts";
import { Ledger } from "./ledger.ts";
import type { Meter } from "./meter.ts";
import { Room, type RoomPolicy } from "./room.ts";
import { type DeviceCopy, Transfers } from "./transfers.ts";

export interface ResidencyOptions extends RoomPolicy {
  readonly engine: Engine;
  readonly adapter: DeviceAdapter;
  readonly vault: Vault;
  readonly meter: Meter;
  /** Carries copies to the host on a device that cannot block; null where the adapter copies at once. */
  readonly offloadStream: Stream<DeviceCopy> | null;
  /** Brings back a block whose bytes are nowhere, by running recorded kernels again. */
  readonly rebuild: (block: Block) => void;
  /** A kernel asked for data that cannot be had without waiting, and fails. */
  readonly missed: () => void;
  /** Code that cannot wait may touch the block at any time. */
  readonly outlivesStep: (block: Block) => boolean;
}

export class Residency {
  readonly adapter: DeviceAdapter;
  readonly clock: KernelClock;
  readonly ledger: Ledger;
  readonly transfers: Transfers;
  readonly room: Room;
  readonly #options: ResidencyOptions;
  readonly #reads = new PQueue({ concurrency: 1 });

  constructor(options: ResidencyOptions) {
    const { adapter, meter } = options;
    this.#options = options;
    this.adapter = adapter;
    this.clock = new KernelClock();
    this.ledger = new Ledger({
      adapter,
      meter,
      clock: this.clock,
      created: () => this.room.recover(),
      ended: (block) => this.transfers.forgetCopy(block),
    });
    this.transfers = new Transfers({
      ...options,
      ledger: this.ledger,
      away: awayBackend(this),
      attempt: (bytes, action) => this.room.attempt(bytes, action),
    });
    this.room = new Room({ ...options, ledger: this.ledger, transfers: this.transfers });
  }

  /** Every block that something still refers to. */
  blocks(): Generator<Block, void> {
    return this.ledger.blocks();
  }

  /** Starts listening. Variables that exist already are taken in now; other buffers when a kernel first touches them. */
  install(): void {
    this.ledger.install();
    this.room.install();
    for (const variable of Object.values(this.#options.engine.state.registeredVariables)) {
      const entry = this.ledger.adopt(variable.dataId);
      if (entry !== undefined) entry.block.variables++;
    }
  }

  /** Brings everything back to the device, budget or not. @throws VdnnError `ERR_OUT_OF_MEMORY` when the device refuses */
  settle(): void {
    const { ledger, room, transfers } = this;
    room.settle(() => {
      for (const block of ledger.blocks()) if (block.residency === "away") transfers.bringIn(block, false);
      transfers.forgetCopies();
    });
  }

  /** `settle` for what has to be awaited. What is in host memory goes first, and makes room there for the rest. */
  async settleLater(): Promise<void> {
    const { ledger, room, transfers } = this;
    // Other code may dispose tensors, or bring them back, between two of them.
    const away = Array.from(ledger.blocks()).filter(({ residency }) => residency === "away");
    const bringIn = (block: Block): void => {
      if (block.residency === "away" && !transfers.isArriving(block)) transfers.bringIn(block, false);
    };
    room.settle(() => away.forEach(bringIn));
    for (const block of away) {
      await transfers.arrival(block);
      room.settle(() => bringIn(block));
    }
  }

  /** Stops listening, when everything is back. */
  uninstall(): void {
    this.room.uninstall();
    this.ledger.uninstall();
  }

  /** Runs a kernel for the sake of another, which waits for it and whose inputs stay meanwhile. */
  nest<T>(run: () => T): T {
    try {
      return this.clock.nest(run);
    } finally {
      this.room.nestedEnded();
    }
  }

  /**
   * Copies to the host what is on the device, as far as there is room, and leaves it there: then it can leave and come back in a
   * stretch that cannot wait.
   */
  copyOut(): void {
    for (const block of this.blocks()) {
      try {
        this.transfers.copy(block, -block.lastTouch);
      } catch (error) {
        if (!hasCode(error, "ERR_HOST_MEMORY")) throw error;
        return;
      }
    }
  }

  /** Makes sure that the block is on the device. @param keepCopy leaves the copy in the vault, for the next absence */
  ensure(block: Block, planned: boolean, keepCopy = false): void {
    if (block.residency === "device") return;
    if (!planned) this.#options.meter.demandFetches++;
    if (block.residency === "dropped") {
      this.#options.rebuild(block);
      return;
    }
    if (this.transfers.isArriving(block)) {
      this.#remake(block);
      return;
    }
    this.room.make(block.bytes);
    this.transfers.bringIn(block, keepCopy);
  }

  /** Rebuilds what was dropped although tensors on it are still alive, while its recipe is valid. */
  rescueDropped(): void {
    for (const block of this.blocks()) if (block.residency === "dropped") this.#options.rebuild(block);
  }

  /** The bytes of an absent dataId, for a reader outside any kernel (`dataSync`, `data`). */
  readAway(dataId: DataId): Values {
    const { vault } = this.#options;
    const entry = this.ledger.entry(dataId);
    if (entry === undefined) throw new Error("the tensor was disposed");
    if (entry.block.parcel === null || this.adapter.copiesAreOpaque === true) {
      this.ensure(entry.block, false);
      return this.adapter.backend.readSync(dataId);
    }
    const bytes = new Uint8Array(vault.open(entry.block.parcel).view);
    vault.prefer(entry.block.parcel, "host");
    return this.adapter.asynchronous?.decode(bytes, entry.dtype) ?? viewAs(entry.dtype, bytes);
  }

  /** `readAway` for a reader who can wait. Where bytes have to be fetched, readers take turns: there may be room for one of them. */
  async readLater(dataId: DataId): Promise<Values> {
    const block = this.ledger.entry(dataId)?.block;
    if (this.#options.vault.canBlock) return this.#readArrived(dataId, block);
    return this.#reads.add(() => this.#readArrived(dataId, block));
  }

  async #readArrived(dataId: DataId, block: Block | undefined): Promise<Values> {
    // Once more where others took its place on the host meanwhile.
    if (block !== undefined)
      for (let way = this.transfers.arrival(block); way !== null;) {
        await way;
        way = this.transfers.arrival(block);
      }
    if (block?.residency === "away" || this.adapter.asynchronous === undefined) return this.readAway(dataId);
    if (block !== undefined) this.ensure(block, false);
    return this.adapter.backend.read(dataId);
  }

  /** Nobody can wait here for data that is on its way. It is made again, and what arrives is a clean copy of it. */
  #remake(block: Block): void {
    block.residency = "dropped";
    try {
      this.#options.rebuild(block);
    } catch (cause) {
      block.residency = "away";
      if (!hasCode(cause, "ERR_DATA_DROPPED")) throw cause;
      this.#options.missed();
      throw new VdnnError(
        "ERR_BACKEND",
        `a kernel asked for ${block.bytes} bytes that have yet to arrive, and ${this.adapter.name} cannot wait inside ` +
          "synchronous code; await the training call before its tensors are used, or raise deviceMemory",
        { backend: this.adapter.name, bytes: block.bytes },
        { cause },
      );
    }
  }
}
