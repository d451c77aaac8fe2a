/**
 * Room on the device: others leave before something new would exceed the budget, and when the device's own allocator refuses
 * although the budget had room. Only the budget is hard; the limit is what the device has shown to have, where that is less.
 */
import type { DeviceAdapter, DeviceLimit } from "../backends/adapter.ts";
import { hasCode, type VdnnError } from "../errors.ts";
import { MIB } from "../units.ts";
import type { Block } from "./block.ts";
import type { Ledger } from "./ledger.ts";
import { Limit } from "./limit.ts";
import type { Transfers } from "./transfers.ts";

export interface RoomPolicy {
  /** Device budget in bytes; Infinity when there is none. */
  readonly budgetBytes: number;
  /** Chooses what leaves when room is needed, or null when nothing may. */
  readonly chooseVictim: (needBytes: number) => Block | null;
  /** Position of a block's next use; larger = needed later. */
  readonly nextUse: (block: Block) => number;
  /** Says why `needBytes` cannot be had. @param refusal the error of the device's own allocator, where that was the cause */
  readonly outOfMemory: (needBytes: number, refusal?: unknown) => VdnnError;
  /** Says that no budget would do: the device makes no such buffer. */
  readonly tooLarge: (bytes: number, limit: DeviceLimit) => VdnnError;
  /** The device's own allocator refused although the budget had room; `limitBytes` has come down. */
  readonly refused: (needBytes: number) => void;
}

export interface RoomOptions extends RoomPolicy {
  readonly adapter: DeviceAdapter;
  readonly ledger: Ledger;
  readonly transfers: Transfers;
}

export class Room {
  readonly #options: RoomOptions;
  readonly #limit: Limit;
  /** Everything is coming back for good: nobody leaves. */
  #settling = false;
  /** Blocks before this one may be a nested kernel's. */
  #nestedBlock = 0;
  #announcedBytes = 0;
  #endAnnouncements: () => void = () => undefined;
  #endBound: () => void = () => undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#limit = new Limit(options.budgetBytes);
  }

  get budgetBytes(): number {
    return this.#options.budgetBytes;
  }

  /** What to stay below: the budget, or less where the device has shown that it has less. Only the budget is hard. */
  get limitBytes(): number {
    return this.#limit.bytes;
  }

  /** Bytes of the allocation that was announced last, which is the one that a device refuses. */
  get announcedBytes(): number {
    return this.#announcedBytes;
  }

  /** An iteration with this peak has ended. True when the limit has risen again after a refusal: plans may use more. */
  iterationEnded(peakBytes: number): boolean {
    return this.#limit.iterationEnded(peakBytes);
  }

  /** Starts to hear of allocations before they happen, as far as the backend lets that be. */
  install(): void {
    const { adapter, ledger } = this.#options;
    const { allocator } = adapter;
    this.#endAnnouncements = adapter.announce((bytes) => {
      this.#announcedBytes = bytes;
      if (ledger.usedBytes + bytes > this.limitBytes && !ledger.isMoving) this.make(bytes);
    });
    this.#endBound =
      allocator?.bound({
        limitBytes: () => (this.#settling ? Number.POSITIVE_INFINITY : this.limitBytes + allocator.reservedBytes),
        release: (bytes) => this.#release(bytes),
        tooLarge: this.#options.tooLarge,
      }) ?? this.#endBound;
  }

  uninstall(): void {
    this.#endAnnouncements();
    this.#endBound();
  }

  /** Runs what brings everything back to the device, budget or not. */
  settle(bringBack: () => void): void {
    this.#settling = true;
    try {
      bringBack();
    } finally {
      this.#settling = false;
    }
  }

  /**
   * Makes room for `bytes` more on the device.
   *
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, or `ERR_HOST_MEMORY` when there is no place for what should leave
   */
  make(bytes: number): void {
    const { budgetBytes, ledger, outOfMemory } = this.#options;
    const hostFull = this.#sendAway(bytes, this.limitBytes);
    if (ledger.usedBytes + bytes > budgetBytes) throw hostFull ?? outOfMemory(bytes);
  }

  /** A kernel's own temporaries were not foreseen: gives back what can still leave, so that the excess is short. */
  recover(): void {
    if (this.#options.ledger.usedBytes > this.limitBytes) this.#sendAway(0, this.limitBytes);
  }

  /** Runs an allocation of `needBytes` on the device; where the device refuses it, `insist`s. */
  attempt<T>(needBytes: number, action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!this.#options.adapter.isOutOfMemory(error)) throw error;
      return this.insist(needBytes, error, action);
    }
  }

  /**
   * The device's own allocator refused `needBytes`, by whatever it holds beyond the ledger. Others leave, more of them each
   * time, until `action` succeeds; from then on the session stays below what was granted.
   *
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, with the refusal as its cause, when nothing more can leave
   */
  insist<T>(needBytes: number, refusal: unknown, action: () => T): T {
    const { adapter, ledger, outOfMemory, refused } = this.#options;
    let error = refusal;
    for (let goal = Math.max(needBytes, MIB); ; goal *= 4) {
      const before = ledger.usedBytes;
      this.#sendAway(goal, before);
      if (ledger.usedBytes === before) throw outOfMemory(needBytes, error);
      const firstBlock = ledger.nextBlock;
      try {
        const result = action();
        this.#limit.refused(ledger.usedBytes);
        refused(needBytes);
        return result;
      } catch (next) {
        this.discard(firstBlock);
        if (!adapter.isOutOfMemory(next)) throw next;
        error = next;
      }
    }
  }

  /** Frees the temporaries of a kernel that was refused in the middle. TF.js has lost them. */
  discard(firstBlock: number): void {
    const { adapter, ledger } = this.#options;
    const first = Math.max(firstBlock, this.#nestedBlock);
    for (const { dataId, block } of ledger.entries()) {
      if (block.id >= first && block.residency === "device") adapter.backend.disposeData(dataId, true);
    }
  }

  /** A kernel that ran for the sake of another has ended: what it made is not the other's. */
  nestedEnded(): void {
    this.#nestedBlock = this.#options.ledger.nextBlock;
  }

  /**
   * Others leave until `bytes` more stay below the limit, or nothing more can.
   *
   * @returns why it stopped early, where that is a full host
   */
  #sendAway(bytes: number, limitBytes: number): VdnnError | undefined {
    const { chooseVictim, ledger, nextUse, transfers } = this.#options;
    while (ledger.usedBytes + bytes > limitBytes) {
      const victim = this.#settling ? null : chooseVictim(bytes);
      if (victim === null) return undefined;
      try {
        transfers.offload(victim, nextUse(victim));
      } catch (error) {
        if (hasCode(error, "ERR_HOST_MEMORY")) return error;
        throw error;
      }
    }
    return undefined;
  }

  /** What the ledger does not see (data made before the session) leaves tensors less room than the budget says. */
  #release(bytes: number): void {
    const { ledger, outOfMemory } = this.#options;
    const before = ledger.usedBytes;
    this.#sendAway(0, before - bytes);
    if (ledger.usedBytes === before) throw outOfMemory(bytes);
  }
}
