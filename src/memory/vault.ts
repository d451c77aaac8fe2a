/**
 * Where data is while it is away from the device. A vault knows nothing of tensors, plans or backends. `HostVault` keeps everything
 * in host memory; `SpillVault` has a spill file behind it, and is loaded only where there is one.
 */
import type { HostPool, HostSlot } from "./host-pool.ts";
import type { Parcel } from "./parcel.ts";
import type { StreamEvent } from "./stream.ts";

export type { Parcel } from "./parcel.ts";

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

/** Every method that takes a parcel throws `ERR_DATA_DROPPED` for one that is not its own or was released. */
export interface Vault {
  readonly stats: VaultStats;
  /** Data is never on a spill tier that has to be awaited (`arrival`): what `open` does not find in host memory it can block for. */
  readonly canBlock: boolean;

  /**
   * Takes data in; `fill` copies it into the slot before this returns. May wait for others to leave.
   * @param nextUse larger = needed later; only the order counts
   * @param stays it never leaves host memory
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had
   */
  put(bytes: number, nextUse: number, fill: (slot: HostSlot) => void, stays?: boolean): Parcel;

  /**
   * Takes in data that arrives later: `fill` starts the copy into the slot and returns the event of its end. Until then
   * nothing can open the parcel. While it travels it lies in the device's staging buffer as well, which is host memory and
   * counted as such.
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had
   */
  putLater(bytes: number, nextUse: number, fill: (slot: HostSlot) => StreamEvent, stays?: boolean): Parcel;

  /** Nobody can open it without awaiting `arrival`: its bytes are on their way to host memory, or have to be fetched there. */
  isArriving(parcel: Parcel): boolean;

  /**
   * Resolves when the parcel can be opened without waiting, having fetched it from the spill tier if it was there; null when it
   * can be already. It stays in host memory until it is opened, unless others that are needed sooner have to be fetched.
   *
   * @returns a promise that rejects with `ERR_HOST_MEMORY` when it finds no room there, `ERR_SPILL` when reading fails, and
   * with the device's own error when the bytes will never come
   */
  arrival(parcel: Parcel): Promise<void> | null;

  /** Resolves when nothing is on its way into the vault any more, arrived or lost. */
  arrivals(): Promise<void>;

  /** Where the spill tier has to be awaited: the parcel stays in host memory until it is opened or `unclaim` is called. */
  claim(parcel: Parcel): void;

  /** A stretch of work that could not wait has ended, and with it all claims. */
  unclaim(): void;

  /** Writes to the spill tier what a stretch of work that cannot wait would find in its way, if host memory was ever short. */
  writeBehind(): Promise<void>;

  /** A wish, and the end of the use of an opened slot. `spill`: write it now and give the slot up; `host`: stay if possible. */
  prefer(parcel: Parcel, tier: "host" | "spill"): void;

  /** Starts reading back from spill. False when there is no room now; true when in host memory already or on the way. */
  readAhead(parcel: Parcel): boolean;

  /**
   * Blocks until the bytes are in a host slot. They are to be read, not changed, and the slot stays theirs until `release`,
   * `prefer` or the next `open`.
   * @throws VdnnError `ERR_HOST_MEMORY` when no slot can be had, `ERR_SPILL` when reading back fails
   */
  open(parcel: Parcel): HostSlot;

  /** Ends the data. What it holds returns at once, or when the copy on it has ended. */
  release(parcel: Parcel): void;

  /** Releases everything, closes streams and the spill file. The pool stays usable. Idempotent. */
  close(): Promise<void>;
}

/**
 * Counts the staging buffer from which a device fills a slot as host memory, until it has.
 *
 * @param store takes the data in; the fill it is handed starts the copy
 * @throws whatever `shortage` makes, when host memory has no room for the buffer
 */
export function whileStaged(
  pool: HostPool,
  bytes: number,
  fill: (slot: HostSlot) => StreamEvent,
  store: (fill: (slot: HostSlot) => StreamEvent) => Parcel,
  shortage: () => Error,
): Parcel {
  if (!pool.reserve(bytes)) throw shortage();
  const arrived = (): void => pool.unreserve(bytes);
  try {
    return store((slot) => {
      const event = fill(slot);
      void event.done().then(arrived, arrived);
      return event;
    });
  } catch (error) {
    arrived();
    throw error;
  }
}
