/**
 * The map of a spill file: which places are taken. It hands them out, whatever the file is; the copies are the streams'.
 *
 * Invariant: extents and free ranges tile `[0, fileBytes)`, and `fileBytes` never exceeds `maxBytes`.
 */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import { FreeList } from "./free-list.ts";

export interface SpillLimits {
  /** Hard limit of the file's size in bytes. Default Infinity. */
  readonly maxBytes?: number;
  /** Alignment of extents in bytes, a power of two from 512 to 65536. Default 4096. */
  readonly alignment?: number;
}

/** A spill file as the vault sees it. */
export interface SpillStore {
  readonly extents: SpillExtents;
  /** Gives the space back. Only after the streams that copy are closed. Idempotent. */
  close(): void | Promise<void>;
}

export class SpillExtents {
  /** Names the file in errors. */
  readonly place: string;
  readonly maxBytes: number;
  readonly alignment: number;
  readonly #extents = new Map<number, number>();
  readonly #free = new FreeList();
  #fileBytes = 0;
  #usedBytes = 0;
  #peakBytes = 0;
  #closed = false;

  constructor(place: string, { maxBytes = Infinity, alignment = 4096 }: SpillLimits) {
    if (!(maxBytes >= 0)) invalid("maxBytes", "a number of bytes or Infinity", maxBytes);
    if (alignment < 512 || alignment > 65_536 || !Number.isInteger(Math.log2(alignment))) {
      invalid("alignment", "a power of two from 512 to 65536", alignment);
    }
    this.place = place;
    this.maxBytes = maxBytes;
    this.alignment = alignment;
  }

  /** Bytes in extents, padding included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The most that `usedBytes` ever was. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** How far the file reaches, free ranges included: what it takes on disk at most. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /**
   * A place for `bytes`; returns its byte offset in the file.
   * @throws VdnnError `ERR_SPILL` when the file would outgrow `maxBytes`
   */
  allocate(bytes: number): number {
    if (this.#closed) throw new VdnnError("ERR_SPILL", "spill file: used after close; create another one");
    const needBytes = Math.max(1, Math.ceil(bytes / this.alignment)) * this.alignment;
    if (this.#free.fit(needBytes) === undefined) this.#extend(needBytes);
    const offset = this.#free.take(needBytes)!;
    this.#extents.set(offset, needBytes);
    this.#usedBytes += needBytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    return offset;
  }

  /** @throws VdnnError `ERR_SPILL` for an offset that is not (or no longer) allocated */
  free(offset: number): void {
    const bytes = this.#extents.get(offset);
    if (bytes === undefined) {
      throw new VdnnError(
        "ERR_SPILL",
        `spill file: expected the offset of an extent in use, got ${offset}; free each extent once`,
        { offset },
      );
    }
    this.#extents.delete(offset);
    this.#usedBytes -= bytes;
    this.#free.put(offset, bytes);
  }

  /** No extent is handed out from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Makes a free range of `bytes` at the end, where a free tail counts. */
  #extend(bytes: number): void {
    const growBytes = bytes - this.#free.tailBytes(this.#fileBytes);
    if (this.#fileBytes + growBytes > this.maxBytes) {
      throw new VdnnError(
        "ERR_SPILL",
        `spill file in ${this.place}: needs ${formatBytes(bytes)} but ${formatBytes(this.#usedBytes)} of ` +
          `${formatBytes(this.maxBytes)} is in use and no free range is large enough; raise its limit`,
        { needBytes: bytes, usedBytes: this.#usedBytes, fileBytes: this.#fileBytes, maxBytes: this.maxBytes },
      );
    }
    this.#free.put(this.#fileBytes, growBytes);
    this.#fileBytes += growBytes;
  }
}

function invalid(option: string, expected: string, got: unknown): never {
  throw new VdnnError("ERR_INVALID_OPTION", `${option}: expected ${expected}, got ${String(got)}`, { option, got });
}
