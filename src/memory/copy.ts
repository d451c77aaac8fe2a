/**
 * What the copy streams carry: moves between a host slot and the spill file that the stream was made for. Copies between device and host are the backend
 * adapter's, because only it can reach the device.
 */
import type { HostSlot } from "./host-pool.ts";

export interface CopyCommand {
  /** `write`: host slot to spill file. `read`: spill file to host slot. */
  readonly kind: "write" | "read";
  /** Byte offset in the file, a multiple of the pool's alignment. */
  readonly fileOffset: number;
  readonly slot: HostSlot;
}

/** One copy on the time line; times are ms on the `performance.now()` clock of the thread that submitted it. */
export interface CopySpan {
  readonly kind: CopyCommand["kind"];
  readonly bytes: number;
  readonly startMs: number;
  readonly endMs: number;
}
