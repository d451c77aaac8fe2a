/**
 * The residency table: every device buffer of one backend, where its bytes are, and the exact ledger of device bytes.
 *
 * It listens on the backend's own data storage, so a buffer is counted from the moment the backend registers it to the moment
 * it frees it, whoever caused that. Data that is away keeps its dataId, its tensors and its reference counts: the engine is
 * told that another backend (`AwayBackend`) holds it, and TF.js's own fault handler, `engine.moveData`, brings it back when a
 * kernel touches it. That is the safety net; planned prefetch is the normal way.
 *
 * Invariants: `usedBytes` is the sum over blocks with residency `device`; a block away holds exactly one parcel, a block on the
 * device at most one, a *clean copy* (no kernel writes into a buffer that it did not make, so the copy stays true); a block is
 * never released while it is pinned by the kernel that runs.
 */
import type { DeviceAdapter, QueuedCopy } from "../backends/adapter.ts";
import { hasCode, VdnnError } from "../errors.ts";
import type { HostSlot } from "../memory/host-pool.ts";
import type { Parcel, Vault } from "../memory/vault.ts";
import type { Stream } from "../memory/stream.ts";
import { type Block, type Entry, newBlock, newEntry } from "./block.ts";
import { EntryTable } from "./entry-table.ts";
import {
  type BackendInfo,
  type DataId,
  type Engine,
  type EngineBackend,
  isMovable,
  type TensorInfo,
  type Values,
  viewAs,
} from "./engine.ts";
import { MIB } from "../units.ts";
import type { Meter } from "./meter.ts";

export interface ResidencyOptions {
  readonly engine: Engine;
  readonly adapter: DeviceAdapter;
  readonly vault: Vault;
  readonly meter: Meter;
  /** Device budget in bytes; Infinity when there is none. */
  readonly budgetBytes: number;
  /** Carries copies to the host on a device that cannot block; null where the adapter copies at once. */
  readonly offloadStream: Stream<DeviceCopy> | null;
  /** Chooses what leaves when room is needed, or null when nothing may. */
  readonly chooseVictim: (needBytes: number) => Block | null;
  /** Position of a block's next use; larger = needed later. */
  readonly nextUse: (block: Block) => number;
  /** Brings back a block whose bytes are nowhere, by running recorded kernels again. */
  readonly rebuild: (block: Block) => void;
  /** Says why `needBytes` cannot be had. @param refusal the error of the device's own allocator, where that was the cause */
  readonly outOfMemory: (needBytes: number, refusal?: unknown) => VdnnError;
  /** The device's own allocator refused although the budget had room; `limitBytes` has come down. */
  readonly refused: (needBytes: number) => void;
}

/** A copy of `QueueStream`: the device fills the slot. */
export interface DeviceCopy {
  readonly finish: QueuedCopy;
  readonly slot: HostSlot;
}

export class Residency {
  readonly adapter: DeviceAdapter;
  readonly #options: ResidencyOptions;
  readonly #entries = new EntryTable();
  readonly #away: EngineBackend;
  #endAnnouncements: () => void = () => undefined;
  #endBound: () => void = () => undefined;
  /** Smaller blocks stay on the device. */
  readonly #smallestBytes: number;
  #nextBlock = 0;
  #usedBytes = 0;
  #limitBytes: number;
  #moving = false;
  /** Everything is coming back for good: nobody leaves. */
  #settling = false;
  #sharedBlock: Block | null = null;
  #clock = 0;
  #ticks = 0;
  /** Clocks of the kernels that wait for the one that runs now. */
  readonly #waiting: number[] = [];
  /** Blocks before this one may be a nested kernel's. */
  #nestedBlock = 0;

  constructor(options: ResidencyOptions) {
    this.#options = options;
    this.adapter = options.adapter;
    this.#limitBytes = options.budgetBytes;
    this.#smallestBytes = options.adapter.asynchronous?.smallestBytes ?? 0;
    this.#away = awayBackend(this);
  }

  /** Time in kernels. What the running kernel touches is stamped with it (`lastTouch`), and stays. */
  get clock(): number {
    return this.#clock;
  }

  /** Another kernel begins. */
  tick(): void {
    this.#clock = ++this.#ticks;
  }

  /** Runs a kernel for the sake of another, which waits for it and whose inputs stay meanwhile. */
  nest<T>(run: () => T): T {
    const outer = this.#clock;
    this.#waiting.push(outer);
    this.tick();
    try {
      return run();
    } finally {
      this.#waiting.pop();
      this.#clock = outer;
      this.#nestedBlock = this.#nextBlock;
    }
  }

  /** The running kernel uses it. The stamp of a kernel that waits for this one holds longer, and stays. */
  touch(block: Block): void {
    if (this.#waiting.length === 0 || !this.#waiting.includes(block.lastTouch)) block.lastTouch = this.#clock;
  }

  /** A kernel that has begun and not ended uses it. */
  isInUse(block: Block): boolean {
    return block.lastTouch === this.#clock || this.#waiting.includes(block.lastTouch);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get budgetBytes(): number {
    return this.#options.budgetBytes;
  }

  /** What to stay below: the budget, or less where the device has shown that it has less. Only the budget is hard. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Every block that something still refers to. */
  *blocks(): Generator<Block, void> {
    for (const entry of this.#entries.values()) if (entry === firstAlive(entry.block)) yield entry.block;
  }

  entry(dataId: DataId): Entry | undefined {
    return this.#entries.get(dataId);
  }

  /** The entry of a kernel's input, taken in if it is new; undefined for what has no bytes on the device. */
  entryOf(input: TensorInfo | null | undefined): Entry | undefined {
    const dataId = input?.dataId;
    return dataId === undefined ? undefined : (this.#entries.get(dataId) ?? this.adopt(dataId));
  }

  /** Starts listening. Variables that exist already are taken in now; other buffers when a kernel first touches them. */
  install(): void {
    const { adapter, engine } = this.#options;
    const { storage, backend } = adapter;
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
    this.#endAnnouncements = adapter.announce((bytes) => {
      if (this.#usedBytes + bytes > this.#limitBytes && !this.#moving) this.makeRoom(bytes);
    });
    const { asynchronous } = adapter;
    this.#endBound =
      asynchronous?.bound({
        limitBytes: () => (this.#settling ? Number.POSITIVE_INFINITY : this.#limitBytes + asynchronous.reservedBytes),
        release: (bytes) => this.#release(bytes),
      }) ?? this.#endBound;
    for (const variable of Object.values(engine.state.registeredVariables)) {
      const entry = this.adopt(variable.dataId);
      if (entry !== undefined) entry.block.variables++;
    }
  }

  /** Brings everything back to the device, budget or not. @throws VdnnError `ERR_OUT_OF_MEMORY` when the device refuses */
  settle(): void {
    this.#settling = true;
    try {
      for (const block of this.blocks()) if (block.residency === "away") this.#bringIn(block, false);
      this.#forgetCopies();
    } finally {
      this.#settling = false;
    }
  }

  /** Stops listening, when everything is back. */
  uninstall(): void {
    const { storage, backend } = this.adapter;
    this.#endAnnouncements();
    this.#endBound();
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
    const { storage } = this.adapter;
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

  /**
   * Makes room for `bytes` more on the device.
   *
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, or `ERR_HOST_MEMORY` when there is no place for what should leave
   */
  makeRoom(bytes: number): void {
    const { budgetBytes, outOfMemory } = this.#options;
    const hostFull = this.#sendAway(bytes, this.#limitBytes);
    if (this.#usedBytes + bytes > budgetBytes) throw hostFull ?? outOfMemory(bytes);
  }

  /**
   * The device's own allocator refused `needBytes`, by whatever it holds beyond the ledger. Others leave, more of them each
   * time, until `action` succeeds; from then on the session stays below what was granted.
   *
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, with the refusal as its cause, when nothing more can leave
   */
  insist<T>(needBytes: number, refusal: unknown, action: () => T): T {
    const { outOfMemory, refused } = this.#options;
    let error = refusal;
    for (let goal = Math.max(needBytes, MIB); ; goal *= 4) {
      const before = this.#usedBytes;
      this.#sendAway(goal, before);
      if (this.#usedBytes === before) throw outOfMemory(needBytes, error);
      const firstBlock = this.#nextBlock;
      try {
        const result = action();
        this.#limitBytes = Math.min(this.#limitBytes, this.#usedBytes);
        refused(needBytes);
        return result;
      } catch (next) {
        this.discard(firstBlock);
        if (!this.adapter.isOutOfMemory(next)) throw next;
        error = next;
      }
    }
  }

  /** Number of the next block that is created: what a refused kernel has left behind is numbered from there. */
  get nextBlock(): number {
    return this.#nextBlock;
  }

  /** Frees the temporaries of a kernel that was refused in the middle. TF.js has lost them. */
  discard(firstBlock: number): void {
    const first = Math.max(firstBlock, this.#nestedBlock);
    for (const { dataId, block } of this.#entries.values()) {
      if (block.id >= first && block.residency === "device") this.adapter.backend.disposeData(dataId, true);
    }
  }

  /**
   * Others leave until `bytes` more stay below the limit, or nothing more can.
   *
   * @returns why it stopped early, where that is a full host
   */
  #sendAway(bytes: number, limitBytes: number): VdnnError | undefined {
    while (this.#usedBytes + bytes > limitBytes) {
      const victim = this.#settling ? null : this.#options.chooseVictim(bytes);
      if (victim === null) return undefined;
      try {
        this.offload(victim, this.#options.nextUse(victim));
      } catch (error) {
        if (hasCode(error, "ERR_HOST_MEMORY")) return error;
        throw error;
      }
    }
    return undefined;
  }

  /** What the ledger does not see (data made before the session) leaves tensors less room than the budget says. */
  #release(bytes: number): void {
    const before = this.#usedBytes;
    this.#sendAway(0, before - bytes);
    if (this.#usedBytes === before) throw this.#options.outOfMemory(bytes);
  }

  /** The block is of a size that moves. */
  isMovable({ bytes }: Block): boolean {
    return bytes >= this.#smallestBytes;
  }

  /** Its bytes are still on their way to the vault. */
  isArriving({ residency, parcel }: Block): boolean {
    return residency === "away" && parcel !== null && this.#options.vault.isArriving(parcel);
  }

  /** Resolves when the bytes of a block are in the vault or on the device; null when they are. */
  arrival({ residency, parcel }: Block): Promise<void> | null {
    return residency === "away" && parcel !== null ? this.#options.vault.arrival(parcel) : null;
  }

  /** Copies a block to the vault, if it has no copy there, and frees its device memory. @param nextUse larger = needed later */
  offload(block: Block, nextUse: number): void {
    if (this.copy(block, nextUse)) this.#vacate(block, "away");
  }

  /** Copies a block to the vault and leaves it on the device. False for what cannot be copied or is not there. */
  copy(block: Block, nextUse: number): boolean {
    const { vault, meter } = this.#options;
    const first = firstAlive(block);
    if (block.residency !== "device" || first === undefined || !isMovable(first.dtype) || !this.isMovable(block))
      return false;
    if (block.parcel !== null) return true;
    const stalledMs = vault.stats.stallMs;
    const start = meter.now();
    block.parcel = this.#put(() => this.#send(block, first.dataId, nextUse));
    meter.moved("offload", block, start, vault.stats.stallMs - stalledMs, this.#options.offloadStream !== null);
    return true;
  }

  /** Clean copies make room on the host for what has no other place. */
  #put(send: () => Parcel): Parcel {
    try {
      return send();
    } catch (error) {
      if (!hasCode(error, "ERR_HOST_MEMORY") || !this.#forgetCopies()) throw error;
      return send();
    }
  }

  #send({ bytes }: Block, dataId: DataId, nextUse: number): Parcel {
    const { vault, offloadStream } = this.#options;
    const { asynchronous } = this.adapter;
    if (offloadStream === null || asynchronous === undefined) {
      return vault.put(bytes, nextUse, (slot) => this.adapter.copyOut(dataId, slot.view));
    }
    return vault.putLater(bytes, nextUse, (slot) =>
      offloadStream.submit({ finish: asynchronous.queueCopyOut(dataId), slot }),
    );
  }

  /** Gives the host memory of all clean copies back. False when there were none. */
  #forgetCopies(): boolean {
    let found = false;
    for (const block of this.blocks()) {
      if (block.residency !== "device" || block.parcel === null) continue;
      this.#options.vault.release(block.parcel);
      block.parcel = null;
      found = true;
    }
    return found;
  }

  /** Frees the device memory of a block. Without a copy in the vault its bytes come back only by running kernels again. */
  drop(block: Block): void {
    if (block.residency === "device" && this.isMovable(block))
      this.#vacate(block, block.parcel === null ? "dropped" : "away");
  }

  /** Makes sure that the block is on the device. @param keepCopy leaves the copy in the vault, for the next absence */
  ensure(block: Block, planned: boolean, keepCopy = false): void {
    if (block.residency === "device") return;
    if (!planned) this.#options.meter.demandFetches++;
    if (block.residency === "dropped") {
      this.#options.rebuild(block);
      return;
    }
    if (this.isArriving(block)) {
      this.#remake(block);
      return;
    }
    this.makeRoom(block.bytes);
    this.#bringIn(block, keepCopy);
  }

  /** Nobody can wait here for data that is on its way. It is made again, and what arrives is a clean copy of it. */
  #remake(block: Block): void {
    block.residency = "dropped";
    try {
      this.#options.rebuild(block);
    } catch (cause) {
      block.residency = "away";
      if (!hasCode(cause, "ERR_DATA_DROPPED")) throw cause;
      throw new VdnnError(
        "ERR_BACKEND",
        `a kernel asked for ${block.bytes} bytes that are on their way to the host, and ${this.adapter.name} cannot wait inside ` +
          "synchronous code; await the training call before its tensors are used, or raise deviceMemory",
        { backend: this.adapter.name, bytes: block.bytes },
        { cause },
      );
    }
  }

  /** The block could be brought back at once after it left: a copy of it has arrived. */
  hasCopy({ parcel }: Block): boolean {
    return parcel !== null && !this.#options.vault.isArriving(parcel);
  }

  /** Rebuilds what was dropped although tensors on it are still alive, while its recipe is valid. */
  rescueDropped(): void {
    for (const block of this.blocks()) if (block.residency === "dropped") this.#options.rebuild(block);
  }

  /** Moves the copy of a block from the host to the spill tier, where there is one. */
  spill(block: Block): void {
    if (block.parcel !== null) this.#options.vault.prefer(block.parcel, "spill");
  }

  /** Starts the copy from the spill tier to host memory, if there is one to make and room for it. */
  readAhead(block: Block): boolean {
    return block.parcel === null || this.#options.vault.readAhead(block.parcel);
  }

  /** A dropped block takes over the memory of a freshly computed tensor. The caller disposes that tensor, now empty. */
  restoreFrom(target: Block, source: DataId): void {
    const made = this.#entries.get(source);
    const [first, ...others] = target.entries.filter((entry) => entry.alive);
    if (made === undefined || first === undefined) return;
    this.#quietly(() => {
      this.adapter.adopt(first.dataId, source, first.shape, first.dtype, first.awayReferences);
      for (const entry of others) {
        this.adapter.alias(entry.dataId, first.dataId, entry.shape, entry.dtype, entry.awayReferences);
      }
    });
    made.alive = false;
    this.#entries.delete(made);
    // Where the fresh tensor shares its memory with others, those go on being counted.
    if (!made.block.entries.some((entry) => entry.alive)) {
      this.#usedBytes -= made.block.bytes;
    }
    this.#occupy(target);
  }

  /** The bytes of an absent dataId, for a reader outside any kernel (`dataSync`, `data`). */
  readAway(dataId: DataId): Values {
    const entry = this.#entries.get(dataId);
    if (entry === undefined) throw new Error("the tensor was disposed");
    if (entry.block.parcel === null) {
      this.ensure(entry.block, false);
      return this.adapter.backend.readSync(dataId);
    }
    const { vault } = this.#options;
    const bytes = new Uint8Array(vault.open(entry.block.parcel).view);
    vault.prefer(entry.block.parcel, "host");
    return this.adapter.asynchronous?.decode(bytes, entry.dtype) ?? viewAs(entry.dtype, bytes);
  }

  /** `readAway` for a reader who can wait. */
  async readLater(dataId: DataId): Promise<Values> {
    const block = this.#entries.get(dataId)?.block;
    if (block !== undefined) await this.arrival(block);
    if (block?.residency === "away" || this.adapter.asynchronous === undefined) return this.readAway(dataId);
    if (block !== undefined) this.ensure(block, false);
    return this.adapter.backend.read(dataId);
  }

  /** One tensor on an absent dataId is gone. Returns true when it was the last. */
  disposeAway(dataId: DataId, force: boolean): boolean {
    const entry = this.#entries.get(dataId);
    if (entry === undefined) return true;
    entry.awayReferences--;
    if (!force && entry.awayReferences > 0) return false;
    this.#forget(entry);
    return true;
  }

  #created(dataId: DataId, record: unknown): Entry | undefined {
    const known = this.#entries.get(dataId);
    if (known !== undefined) return known;
    const tensor = this.adapter.describe(record);
    if (tensor === null) return undefined;
    const { shape, dtype, bytes } = tensor;
    const shared = this.#sharedBlock;
    if (shared !== null) {
      const entry = newEntry(dataId, shape, dtype, shared);
      shared.entries.push(entry);
      this.#entries.add(entry);
      return entry;
    }
    const block = newBlock(this.#nextBlock++, this.#clock, dataId, shape, dtype, bytes);
    const entry = block.entries[0] as Entry;
    this.#entries.add(entry);
    this.#grow(block.bytes);
    // The kernel's own temporaries were not foreseen: give back what can still leave, so that the excess is short.
    if (this.#usedBytes > this.#limitBytes) this.#sendAway(0, this.#limitBytes);
    return entry;
  }

  #deleted(dataId: DataId): void {
    const entry = this.#entries.get(dataId);
    if (entry !== undefined) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    const { block } = entry;
    entry.alive = false;
    this.#entries.delete(entry);
    if (firstAlive(block) !== undefined) return;
    if (block.residency === "device") {
      this.#usedBytes -= block.bytes;
      this.#options.meter.shrunk(this.#usedBytes);
    }
    if (block.parcel !== null) this.#options.vault.release(block.parcel);
    block.parcel = null;
    block.residency = "dropped";
  }

  #vacate(block: Block, residency: "away" | "dropped"): void {
    this.#quietly(() => {
      for (const entry of block.entries) {
        if (!entry.alive) continue;
        entry.awayReferences = this.adapter.release(entry.dataId);
        this.#holder(entry.dataId, this.#away);
      }
    });
    block.residency = residency;
    this.#usedBytes -= block.bytes;
    this.#options.meter.counters(this.#usedBytes);
  }

  #bringIn(block: Block, keepCopy: boolean): void {
    const { vault, meter } = this.#options;
    const { parcel } = block;
    const [first, ...others] = block.entries.filter((entry) => entry.alive);
    if (parcel === null || first === undefined) return;
    const stalledMs = vault.stats.stallMs;
    const start = meter.now();
    const copyIn = (): void => {
      // Opened at each try: what leaves meanwhile opens slots of its own.
      const slot = vault.open(parcel);
      this.#quietly(() => this.adapter.copyIn(first.dataId, slot.view, first.shape, first.dtype, first.awayReferences));
    };
    try {
      copyIn();
    } catch (error) {
      if (!this.adapter.isOutOfMemory(error)) throw error;
      this.insist(block.bytes, error, copyIn);
    }
    this.#quietly(() => {
      for (const entry of others) {
        this.adapter.alias(entry.dataId, first.dataId, entry.shape, entry.dtype, entry.awayReferences);
      }
    });
    if (keepCopy) vault.prefer(parcel, "host");
    else {
      vault.release(parcel);
      block.parcel = null;
    }
    meter.moved("prefetch", block, start, vault.stats.stallMs - stalledMs);
    this.#occupy(block);
  }

  #occupy(block: Block): void {
    for (const entry of block.entries) if (entry.alive) this.#holder(entry.dataId, this.adapter.backend);
    block.residency = "device";
    this.#grow(block.bytes);
  }

  #holder(dataId: DataId, backend: EngineBackend): void {
    const info: BackendInfo | undefined = this.#options.engine.state.tensorInfo.get(dataId);
    if (info !== undefined) info.backend = backend;
  }

  #grow(bytes: number): void {
    this.#usedBytes += bytes;
    this.#options.meter.grown(this.#usedBytes);
  }

  #quietly(move: () => void): void {
    this.#moving = true;
    try {
      move();
    } finally {
      this.#moving = false;
    }
  }
}

function firstAlive(block: Block): Entry | undefined {
  for (const entry of block.entries) if (entry.alive) return entry;
  return undefined;
}

/** What the engine sees as the holder of absent data. It has no kernels. */
function awayBackend(residency: Residency): EngineBackend {
  const entryOf = (dataId: DataId): Entry | undefined => residency.entry(dataId);
  return {
    readSync: (dataId) => residency.readAway(dataId),
    read: (dataId) => Promise.resolve().then(() => residency.readLater(dataId)),
    disposeData: (dataId, force = false) => residency.disposeAway(dataId, force),
    refCount: (dataId) => entryOf(dataId)?.awayReferences ?? 0,
    incRef(dataId) {
      const entry = entryOf(dataId);
      if (entry !== undefined) entry.awayReferences++;
    },
    move() {
      throw new VdnnError("ERR_BACKEND", "data cannot be moved to the vault by the engine");
    },
    numDataIds: () => 0,
  };
}
