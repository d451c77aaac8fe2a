/**
 * The exact ledger of device bytes: every device buffer of one backend, from the moment the backend registers it to the moment
 * it frees it, whoever caused that. It listens on the backend's own data storage.
 *
 * Invariant: `usedBytes` is the sum over blocks with residency `device`.
 */
import type { DeviceAdapter } from "../backends/adapter.ts";
import { type Block, type Entry, firstAlive, newBlock, newEntry } from "./block.ts";
import { EntryTable } from "./entry-table.ts";
import type { DataId, TensorInfo } from "./engine.ts";
import type { KernelClock } from "./kernel-clock.ts";
import type { Meter } from "./meter.ts";

export interface LedgerOptions {
  readonly adapter: DeviceAdapter;
  readonly clock: KernelClock;
  readonly meter: Meter;
  /** A kernel or the program has made a buffer. */
  readonly created: () => void;
  /** The last tensor on a block is gone. */
  readonly ended: (block: Block) => void;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #entries = new EntryTable();
  #usedBytes = 0;
  #nextBlock = 0;
  #moving = false;
  #sharedBlock: Block | null = null;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Number of the next block that is created: what a refused kernel has left behind is numbered from there. */
  get nextBlock(): number {
    return this.#nextBlock;
  }

  /** The session itself moves data: what the backend's storage says now is no news. */
  get isMoving(): boolean {
    return this.#moving;
  }

  /** Every block that something still refers to. */
  *blocks(): Generator<Block, void> {
    for (const entry of this.#entries.values()) if (entry === firstAlive(entry.block)) yield entry.block;
  }

  entries(): Generator<Entry, void> {
    return this.#entries.values();
  }

  entry(dataId: DataId): Entry | undefined {
    return this.#entries.get(dataId);
  }

  /** The entry of a kernel's input, taken in if it is new; undefined for what has no bytes on the device. */
  entryOf(input: TensorInfo | null | undefined): Entry | undefined {
    const dataId = input?.dataId;
    return dataId === undefined ? undefined : (this.#entries.get(dataId) ?? this.adopt(dataId));
  }

  /** Starts listening. */
  install(): void {
    const { storage, backend } = this.#options.adapter;
    const set = storage.set.bind(storage);
    const remove = storage.delete.bind(storage);
    const incRef = backend.incRef.bind(backend);
    storage.set = (dataId, record) => {
      set(dataId, record);
      if (!this.#moving) this.#created(dataId, record);
    };
    storage.delete = (dataId) => {
      if (!this.#moving) this.#deleted(dataId);
      return remove(dataId);
    };
    backend.incRef = (dataId) => {
      const entry = this.#entries.get(dataId);
      if (entry !== undefined && entry.block.residency !== "device") entry.awayReferences++;
      else incRef(dataId);
    };
  }

  /** Stops listening. */
  uninstall(): void {
    const { storage, backend } = this.#options.adapter;
    for (const owner of [storage, backend] as object[]) {
      for (const name of ["delete", "set", "incRef"])
        if (Object.hasOwn(owner, name)) Reflect.deleteProperty(owner, name);
    }
    this.#entries.clear();
  }

  /** Takes in a buffer that was made before the session. */
  adopt(dataId: DataId): Entry | undefined {
    const known = this.#entries.get(dataId);
    if (known !== undefined) return known;
    const { storage } = this.#options.adapter;
    if (!storage.has(dataId)) return undefined;
    return this.#created(dataId, storage.get(dataId));
  }

  /** Runs `make`, whose new buffer shares the memory of `block`. */
  sharing<T>(block: Block | undefined, make: () => T): T {
    this.#sharedBlock = block ?? null;
    try {
      return make();
    } finally {
      this.#sharedBlock = null;
    }
  }

  /** Runs a move of data by the session itself. */
  quietly(move: () => void): void {
    this.#moving = true;
    try {
      move();
    } finally {
      this.#moving = false;
    }
  }

  /** The block is on the device again. */
  returned(block: Block): void {
    block.residency = "device";
    this.#grow(block.bytes);
  }

  /** The block has left the device. */
  left(block: Block, residency: "away" | "dropped"): void {
    block.residency = residency;
    this.#usedBytes -= block.bytes;
    this.#options.meter.left(block.bytes, this.#usedBytes);
  }

  /** An entry whose memory another block has taken over. */
  handedOver(entry: Entry): void {
    entry.alive = false;
    this.#entries.delete(entry);
    // Where that memory is shared with others, those go on being counted.
    if (firstAlive(entry.block) === undefined) this.#usedBytes -= entry.block.bytes;
  }

  /** The last tensor on a dataId is gone. */
  forget(entry: Entry): void {
    const { block } = entry;
    const { meter, ended } = this.#options;
    entry.alive = false;
    this.#entries.delete(entry);
    if (firstAlive(block) !== undefined) return;
    if (block.residency === "device") {
      this.#usedBytes -= block.bytes;
      meter.shrunk(this.#usedBytes);
    }
    ended(block);
    block.residency = "dropped";
  }

  #created(dataId: DataId, record: unknown): Entry | undefined {
    const { adapter, clock, created } = this.#options;
    const known = this.#entries.get(dataId);
    const tensor = adapter.describe(record);
    if (known !== undefined) {
      if (tensor?.bytes !== undefined) this.#resize(known.block, tensor.bytes);
      return known;
    }
    if (tensor === null) return undefined;
    const { shape, dtype, bytes } = tensor;
    const shared = this.#sharedBlock;
    if (shared !== null) {
      const entry = newEntry(dataId, shape, dtype, shared);
      shared.entries.push(entry);
      this.#entries.add(entry);
      return entry;
    }
    const block = newBlock(this.#nextBlock++, clock.now, dataId, shape, dtype, bytes);
    const entry = block.entries[0] as Entry;
    this.#entries.add(entry);
    this.#grow(block.bytes);
    created();
    return entry;
  }

  /** A block on the device has got its buffer. */
  #resize(block: Block, bytes: number): void {
    const growth = bytes - block.bytes;
    block.bytes = bytes;
    if (growth !== 0) this.#grow(growth);
  }

  #deleted(dataId: DataId): void {
    const entry = this.#entries.get(dataId);
    if (entry !== undefined) this.forget(entry);
  }

  #grow(bytes: number): void {
    this.#usedBytes += bytes;
    this.#options.meter.grown(this.#usedBytes);
  }
}
