/**
 * A vault in host memory alone: what finds no room there is refused.
 *
 * Invariant: the slot of a parcel returns to the pool only when whatever fills it has ended (Note [Copies own their ends] in
 * parcel.ts).
 */
import { VdnnError } from "../errors.ts";
import type { HostPool, HostSlot } from "./host-pool.ts";
import type { Parcel } from "./parcel.ts";
import type { StreamEvent } from "./stream.ts";
import { dropped, hostShortage } from "./vault-errors.ts";
import { type Vault, type VaultStats, whileStaged } from "./vault.ts";

interface HostParcel extends Parcel {
  readonly slot: HostSlot;
  tier: "host" | "in-flight";
  /** The end of the copy that fills the slot, until it was taken note of. */
  filled: StreamEvent | undefined;
  /** Why the bytes never came: the device was lost while they were on their way. */
  lost: { readonly cause: unknown } | undefined;
  released: boolean;
}

type Fill = (slot: HostSlot) => StreamEvent | undefined;

export class HostVault implements Vault {
  readonly canBlock = true;
  readonly #pool: HostPool;
  readonly #live = new Set<Parcel>();
  /** Parcels that a device still fills, released ones too. */
  readonly #arriving = new Set<HostParcel>();
  #isClosed = false;

  constructor(pool: HostPool) {
    this.#pool = pool;
  }

  get stats(): VaultStats {
    const { usedBytes: hostBytes, peakBytes: peakHostBytes } = this.#pool;
    return { ...NOTHING_SPILLED, hostBytes, peakHostBytes };
  }

  put(bytes: number, _nextUse: number, fill: (slot: HostSlot) => void): Parcel {
    return this.#store(bytes, (slot) => {
      fill(slot);
      return undefined;
    });
  }

  putLater(bytes: number, _nextUse: number, fill: (slot: HostSlot) => StreamEvent): Parcel {
    const store = (staged: Fill): Parcel => this.#store(bytes, staged);
    return whileStaged(this.#pool, bytes, fill, store, () => this.#shortage(bytes));
  }

  #store(bytes: number, fill: Fill): Parcel {
    if (this.#isClosed) throw new VdnnError("ERR_STREAM", "vault: used after close");
    this.#reap();
    const slot = this.#pool.allocate(bytes);
    if (slot === undefined) throw this.#shortage(bytes);
    const parcel: HostParcel = { bytes, slot, tier: "host", filled: undefined, lost: undefined, released: false };
    try {
      parcel.filled = fill(slot);
    } catch (error) {
      this.#pool.free(slot);
      throw error;
    }
    if (parcel.filled !== undefined) {
      parcel.tier = "in-flight";
      this.#arriving.add(parcel);
    }
    this.#live.add(parcel);
    return parcel;
  }

  isArriving(parcel: Parcel): boolean {
    return this.#own(parcel).filled?.isReached === false;
  }

  arrival(parcel: Parcel): Promise<void> | null {
    this.#reap();
    return this.#own(parcel).filled?.done() ?? null;
  }

  async arrivals(): Promise<void> {
    for (this.#reap(); this.#arriving.size > 0; this.#reap()) {
      await Promise.allSettled([...this.#arriving].flatMap(({ filled }) => filled?.done() ?? []));
    }
  }

  claim(): void {}

  unclaim(): void {}

  async writeBehind(): Promise<void> {}

  prefer(): void {}

  readAhead(): boolean {
    return true;
  }

  open(parcel: Parcel): HostSlot {
    this.#reap();
    const { filled, lost, slot } = this.#own(parcel);
    filled?.wait();
    if (lost !== undefined) throw lost.cause;
    return slot;
  }

  release(parcel: Parcel): void {
    const own = this.#own(parcel);
    this.#live.delete(own);
    own.released = true;
    if (own.filled === undefined) this.#pool.free(own.slot);
    this.#reap();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const parcel of this.#live) this.release(parcel);
    return this.arrivals();
  }

  /** Takes note of every copy that has ended. */
  #reap(): void {
    for (const parcel of this.#arriving) {
      if (parcel.filled?.isReached !== true) continue;
      try {
        parcel.filled.wait();
      } catch (cause) {
        parcel.lost = { cause };
      }
      parcel.filled = undefined;
      parcel.tier = "host";
      this.#arriving.delete(parcel);
      if (parcel.released) this.#pool.free(parcel.slot);
    }
  }

  #own(parcel: Parcel): HostParcel {
    if (this.#live.has(parcel)) return parcel as HostParcel;
    throw dropped(parcel);
  }

  #shortage(bytes: number): VdnnError {
    return hostShortage(this.#pool, bytes, "there is no spill tier; raise --host-memory or add --spill DIR");
  }
}

const NOTHING_SPILLED = { spillBytes: 0, peakSpillBytes: 0, spillWriteBytes: 0, spillReadBytes: 0, stallMs: 0 };
