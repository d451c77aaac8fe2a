/**
 * What the copy streams carry: moves between a host slot and the spill file. Copies between device and host are the backend
 * adapter's, because only it can reach the device.
 */
import type { HostSlot } from "./host-pool.ts";

export interface CopyCommand {
  /** `write`: host slot to spill file. `read`: spill file to host slot. */
  readonly kind: "write" | "read";
  /** Open file descriptor of the spill file. */
  readonly fd: number;
  /** Byte offset in the file, a multiple of the pool's alignment. */
  readonly fileOffset: number;
  readonly slot: HostSlot;
}
