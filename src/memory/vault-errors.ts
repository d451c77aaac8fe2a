/** What every vault refuses, in the same words. */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { HostPool } from "./host-pool.ts";
import type { Parcel } from "./parcel.ts";

/** There is no slot of that size. @param why nothing leaves, and what to do */
export function hostShortage(
  { capacityBytes, usedBytes }: HostPool,
  needBytes: number,
  why: string,
  spillBytes = 0,
  options?: ErrorOptions,
): VdnnError {
  const freeBytes = capacityBytes - usedBytes;
  return new VdnnError(
    "ERR_HOST_MEMORY",
    `needs ${formatBytes(needBytes)} of host memory but ${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} ` +
      `is free and ${why}`,
    { needBytes, freeBytes, capacityBytes, spillBytes },
    options,
  );
}

/** The parcel is another vault's, or was released. */
export function dropped({ bytes }: Parcel): VdnnError {
  const message = "vault: expected a parcel of this vault that was not released; each parcel is released once";
  return new VdnnError("ERR_DATA_DROPPED", message, { bytes });
}
