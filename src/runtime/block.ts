/**
 * Blocks and entries: what the residency table keeps about device memory. An *entry* is one dataId of the engine; a *block* is
 * the memory behind it. Usually they are one to one; on backends where a reshape makes a second handle on the same buffer, a
 * block has several entries, is counted once, and moves as a whole.
 */
import type { Parcel } from "../memory/vault.ts";
import { type DataId, type DType, tensorBytes } from "./engine.ts";
import type { Op } from "./oplog.ts";

/**
 * Where the bytes are. `device`: in a device buffer. `away`: in the vault (host or spill tier). `dropped`: nowhere; the
 * recorded kernel that made them can run again.
 */
export type Residency = "device" | "away" | "dropped";

export interface Entry {
  readonly dataId: DataId;
  readonly shape: number[];
  readonly dtype: DType;
  readonly block: Block;
  /** References that tensors hold, valid while the block is not on the device (the backend counts them while it is). */
  awayReferences: number;
  /** False once the last tensor on it was disposed. */
  alive: boolean;
  /** The kernel of the running iteration that made it. */
  producer: Op | null;
  /** Neighbours in the session's table. */
  previous: Entry | null;
  next: Entry | null;
}

export interface Block {
  /** Order of creation. */
  readonly id: number;
  /** Of its device buffer. A backend that makes the buffer at first use tells them then. */
  bytes: number;
  entries: Entry[];
  residency: Residency;
  /** Its bytes in the vault: where they are while it is away, a clean copy while it is on the device. */
  parcel: Parcel | null;
  /** Value of the session's kernel counter when a kernel last touched it. */
  lastTouch: number;
  /** Variables (weights, optimizer state) that hold it. */
  variables: number;
  /** The caller asked for it beyond its scope with `tf.keep`. */
  kept: boolean;
  /** Tensor index in the graph that is being followed in this iteration; -1 when it has none. */
  index: number;
}

/** A dataId whose buffer shares the memory of `block`, which does not know of it yet. */
export function newEntry(dataId: DataId, shape: number[], dtype: DType, block: Block): Entry {
  return {
    dataId,
    shape,
    dtype,
    block,
    awayReferences: 0,
    alive: true,
    producer: null,
    previous: null,
    next: null,
  };
}

/** A block on the device, with the one entry for which it is made. */
export function newBlock(
  id: number,
  clock: number,
  dataId: DataId,
  shape: number[],
  dtype: DType,
  bytes: number = tensorBytes(shape, dtype),
): Block {
  const block: Block = {
    id,
    bytes,
    entries: [],
    residency: "device",
    parcel: null,
    lastTouch: clock,
    variables: 0,
    kept: false,
    index: -1,
  };
  // Not by push, which makes room for 17: there is a block for every kernel that ran, until the iteration ends.
  block.entries = [newEntry(dataId, shape, dtype, block)];
  return block;
}

/** The entry whose buffer stands for the block's memory. */
export function firstAlive(block: Block): Entry | undefined {
  for (const entry of block.entries) if (entry.alive) return entry;
  return undefined;
}
