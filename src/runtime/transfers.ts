/**
 * Data on its way out of the device and back. Data that is away keeps its dataId, its tensors and its reference counts: the
 * engine is told that another backend (`away-backend.ts`) holds it.
 *
 * Invariant: a block away holds exactly one parcel, a block on the device at most one, a *clean copy* (no kernel writes into a
 * buffer that it did not make, so the copy stays true).
 */
import type { DeviceAdapter, QueuedCopy } from "../backends/adapter.ts";
import { hasCode } from "../errors.ts";
import type { HostSlot } from "../memory/host-pool.ts";
import type { Stream, StreamEvent } from "../memory/stream.ts";
import type { Parcel, Vault } from "../memory/vault.ts";
import { type Block, firstAlive } from "./block.ts";
import { type BackendInfo, type DataId, type Engine, type EngineBackend, isMovable } from "./engine.ts";
import type { Ledger } from "./ledger.ts";
import type { Meter } from "./meter.ts";

/** A copy of `QueueStream`: the device fills the slot. */
export interface DeviceCopy {
  readonly copy: QueuedCopy;
  readonly slot: HostSlot;
}

export interface TransferOptions {
  readonly engine: Engine;
  readonly adapter: DeviceAdapter;
  readonly vault: Vault;
  readonly meter: Meter;
  readonly ledger: Ledger;
  /** Carries copies to the host on a device that cannot block; null where the adapter copies at once. */
  readonly offloadStream: Stream<DeviceCopy> | null;
  /** Code that cannot wait may touch the block at any time. */
  readonly outlivesStep: (block: Block) => boolean;
  /** What the engine sees as the holder of absent data. */
  readonly away: EngineBackend;
  /** Runs an allocation of `bytes` on the device, and again after others left where the device refuses it. */
  readonly attempt: (bytes: number, action: () => void) => void;
}

export class Transfers {
  readonly #options: TransferOptions;
  /** Smaller blocks stay on the device. */
  readonly #smallestBytes: number;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#smallestBytes = options.adapter.allocator?.smallestBytes ?? 0;
  }

  /** The block is of a size that moves, and nothing holds its buffer. */
  isMovable({ bytes, entries }: Block): boolean {
    const { adapter } = this.#options;
    return (
      bytes >= this.#smallestBytes &&
      (adapter.isReleasable === undefined ||
        entries.every(({ alive, dataId }) => !alive || adapter.isReleasable?.(dataId) === true))
    );
  }

  /** Its bytes have to be awaited: they are on their way to host memory, or would have to be fetched from the spill tier. */
  isArriving({ residency, parcel }: Block): boolean {
    return residency === "away" && parcel !== null && this.#options.vault.isArriving(parcel);
  }

  /** Resolves when a kernel can have the block at once; null when it can. What lies on the spill tier is fetched. */
  arrival({ residency, parcel }: Block): Promise<void> | null {
    return residency === "away" && parcel !== null ? this.#options.vault.arrival(parcel) : null;
  }

  /** The block could be brought back at once after it left: a copy of it has arrived. */
  hasCopy({ parcel }: Block): boolean {
    return parcel !== null && !this.#options.vault.isArriving(parcel);
  }

  /** Copies a block to the vault, if it has no copy there, and frees its device memory. @param nextUse larger = needed later */
  offload(block: Block, nextUse: number): void {
    if (this.copy(block, nextUse)) this.#vacate(block, "away");
  }

  /** Copies a block to the vault and leaves it on the device. False for what cannot be copied or is not there. */
  copy(block: Block, nextUse: number): boolean {
    const { vault, meter, offloadStream } = this.#options;
    const first = firstAlive(block);
    if (block.residency !== "device" || first === undefined || !isMovable(first.dtype) || !this.isMovable(block))
      return false;
    if (block.parcel !== null) return true;
    const stalledMs = vault.stats.stallMs;
    const start = meter.now();
    block.parcel = this.#put(() => this.#send(block, first.dataId, nextUse));
    meter.moved("offload", block, start, vault.stats.stallMs - stalledMs, offloadStream !== null);
    return true;
  }

  /** Frees the device memory of a block. Without a copy in the vault its bytes come back only by running kernels again. */
  drop(block: Block): void {
    if (block.residency === "device" && this.isMovable(block))
      this.#vacate(block, block.parcel === null ? "dropped" : "away");
  }

  /** Copies a block that is away back to the device. @param keepCopy leaves the copy in the vault, for the next absence */
  bringIn(block: Block, keepCopy: boolean): void {
    const { adapter, attempt, ledger, meter, vault } = this.#options;
    const { parcel } = block;
    const first = firstAlive(block);
    if (parcel === null || first === undefined) return;
    const stalledMs = vault.stats.stallMs;
    const start = meter.now();
    attempt(block.bytes, () => {
      // Opened at each try: what leaves meanwhile opens slots of its own.
      const { view } = vault.open(parcel);
      ledger.quietly(() => adapter.copyIn(first.dataId, view, first.shape, first.dtype, first.awayReferences));
    });
    this.#alias(block);
    if (keepCopy) vault.prefer(parcel, "host");
    else {
      vault.release(parcel);
      block.parcel = null;
    }
    meter.moved("prefetch", block, start, vault.stats.stallMs - stalledMs);
    this.#occupy(block);
  }

  /** A dropped block takes over the memory of a freshly computed tensor. The caller disposes that tensor, now empty. */
  restoreFrom(target: Block, source: DataId): void {
    const { adapter, ledger } = this.#options;
    const made = ledger.entry(source);
    const first = firstAlive(target);
    if (made === undefined || first === undefined) return;
    ledger.quietly(() => adapter.adopt(first.dataId, source, first.shape, first.dtype, first.awayReferences));
    this.#alias(target);
    ledger.handedOver(made);
    this.#occupy(target);
  }

  /** Moves the copy of a block from the host to the spill tier, where there is one. */
  spill(block: Block): void {
    if (block.parcel !== null) this.#options.vault.prefer(block.parcel, "spill");
  }

  /** Starts the copy from the spill tier to host memory, if there is one to make and room for it. */
  readAhead(block: Block): boolean {
    return block.parcel === null || this.#options.vault.readAhead(block.parcel);
  }

  /** Gives the host memory of a block back. */
  forgetCopy(block: Block): void {
    if (block.parcel !== null) this.#options.vault.release(block.parcel);
    block.parcel = null;
  }

  /** Gives the host memory of all clean copies back. False when there were none. */
  forgetCopies(): boolean {
    let found = false;
    for (const block of this.#options.ledger.blocks()) {
      if (block.residency !== "device" || block.parcel === null) continue;
      this.forgetCopy(block);
      found = true;
    }
    return found;
  }

  /** Clean copies make room on the host for what has no other place. */
  #put(send: () => Parcel): Parcel {
    try {
      return send();
    } catch (error) {
      if (!hasCode(error, "ERR_HOST_MEMORY") || !this.forgetCopies()) throw error;
      return send();
    }
  }

  #send(block: Block, dataId: DataId, nextUse: number): Parcel {
    const { adapter, vault, offloadStream, outlivesStep } = this.#options;
    const { asynchronous } = adapter;
    const { bytes } = block;
    const stays = !vault.canBlock && outlivesStep(block);
    if (offloadStream === null || asynchronous === undefined) {
      return vault.put(bytes, nextUse, (slot) => adapter.copyOut(dataId, slot.view), stays);
    }
    const fill = (slot: HostSlot): StreamEvent =>
      offloadStream.submit({ copy: asynchronous.queueCopyOut(dataId), slot });
    return vault.putLater(bytes, nextUse, fill, stays);
  }

  #vacate(block: Block, residency: "away" | "dropped"): void {
    const { adapter, away, ledger, vault } = this.#options;
    ledger.quietly(() => {
      for (const entry of block.entries) {
        if (!entry.alive) continue;
        entry.awayReferences = adapter.release(entry.dataId);
        this.#holder(entry.dataId, away);
      }
    });
    if (block.parcel !== null) vault.claim(block.parcel);
    ledger.left(block, residency);
  }

  /** The other handles on the memory that the first one has got back. */
  #alias({ entries }: Block): void {
    const { adapter, ledger } = this.#options;
    const [first, ...others] = entries.filter((entry) => entry.alive);
    if (first === undefined || others.length === 0) return;
    ledger.quietly(() => {
      for (const { dataId, shape, dtype, awayReferences } of others)
        adapter.alias(dataId, first.dataId, shape, dtype, awayReferences);
    });
  }

  #occupy(block: Block): void {
    const { adapter, ledger } = this.#options;
    for (const entry of block.entries) if (entry.alive) this.#holder(entry.dataId, adapter.backend);
    ledger.returned(block);
  }

  #holder(dataId: DataId, backend: EngineBackend): void {
    const info: BackendInfo | undefined = this.#options.engine.state.tensorInfo.get(dataId);
    if (info !== undefined) info.backend = backend;
  }
}
