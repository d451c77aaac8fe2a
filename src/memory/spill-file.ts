/**
 * The file behind host memory: one open, already unlinked file and the map of its extents. It hands out places; the copies
 * are the streams'. O_DIRECT is used where the file system takes it, because
 * activations are read once: through the page cache they would push out the training data and cost a second copy.
 *
 * Invariant: extents and free ranges tile `[0, fileBytes)`, and `fileBytes` never exceeds `maxBytes`.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, ftruncateSync, openSync, readSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import { FreeList } from "./free-list.ts";
import { HostPool, paddedView } from "./host-pool.ts";
import { codeOf, spillCreateError, spillPaths } from "./spill-error.ts";

export interface SpillFileOptions {
  /** An existing directory on a local disk. */
  readonly directory: string;
  /** Hard limit of the file's size in bytes. Default Infinity. */
  readonly maxBytes?: number;
  /** Alignment of extents in bytes, a power of two from 512 to 65536. Default 4096. */
  readonly alignment?: number;
  /** O_DIRECT: `"auto"` where the file system takes it (default), `true` or fail, `false` never. */
  readonly direct?: "auto" | boolean;
}

const POSIX = process.platform !== "win32";

export class SpillFile {
  readonly fd: number;
  /** True when O_DIRECT is really in use. */
  readonly direct: boolean;
  /** Where it was created; nothing is there any more, except on Windows. */
  readonly path: string;
  readonly maxBytes: number;
  readonly alignment: number;
  readonly #extents = new Map<number, number>();
  readonly #free = new FreeList();
  readonly #remove = (): void => unlinkQuietly(this.path);
  #fileBytes = 0;
  #usedBytes = 0;
  #peakBytes = 0;
  #closed = false;

  private constructor(fd: number, direct: boolean, path: string, maxBytes: number, alignment: number) {
    this.fd = fd;
    this.direct = direct;
    this.path = path;
    this.maxBytes = maxBytes;
    this.alignment = alignment;
    spillPaths.set(fd, path);
    if (!POSIX) process.once("exit", this.#remove);
  }

  /** @throws VdnnError `ERR_SPILL` when no file can be created, written and read there */
  static create({ directory, maxBytes = Infinity, alignment = 4096, direct = "auto" }: SpillFileOptions): SpillFile {
    if (!(maxBytes >= 0)) invalid("maxBytes", "a number of bytes or Infinity", maxBytes);
    if (alignment < 512 || alignment > 65_536 || !Number.isInteger(Math.log2(alignment))) {
      invalid("alignment", "a power of two from 512 to 65536", alignment);
    }
    checkDirectory(directory);
    const path = join(resolve(directory), `vdnn-spill-${process.pid}-${randomUUID()}`);
    if (direct !== false && constants.O_DIRECT !== undefined) {
      try {
        return new SpillFile(openUnlinked(path, constants.O_DIRECT, alignment), true, path, maxBytes, alignment);
      } catch (error) {
        // EINVAL is how a file system refuses O_DIRECT; everything else would fail without it as well
        if (direct === true || codeOf(error) !== "EINVAL") throw spillCreateError(directory, error);
      }
    } else if (direct === true) invalid("direct", '"auto" or false on a system without O_DIRECT', direct);
    try {
      return new SpillFile(openUnlinked(path, 0, alignment), false, path, maxBytes, alignment);
    } catch (error) {
      throw spillCreateError(directory, error);
    }
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

  /** Closes the descriptor, and with it the disk space goes. Only after the streams that copy are closed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    spillPaths.delete(this.fd);
    closeSync(this.fd);
    if (POSIX) return;
    this.#remove();
    process.removeListener("exit", this.#remove);
  }

  /** Makes a free range of `bytes` at the end, where a free tail counts. */
  #extend(bytes: number): void {
    const growBytes = bytes - this.#free.tailBytes(this.#fileBytes);
    if (this.#fileBytes + growBytes > this.maxBytes) {
      throw new VdnnError(
        "ERR_SPILL",
        `spill file in ${dirname(this.path)}: needs ${formatBytes(bytes)} but ${formatBytes(this.#usedBytes)} of ` +
          `${formatBytes(this.maxBytes)} is in use and no free range is large enough; raise its limit`,
        { needBytes: bytes, usedBytes: this.#usedBytes, fileBytes: this.#fileBytes, maxBytes: this.maxBytes },
      );
    }
    this.#free.put(this.#fileBytes, growBytes);
    this.#fileBytes += growBytes;
  }
}

function checkDirectory(directory: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(directory).isDirectory();
  } catch (error) {
    throw spillCreateError(directory, error);
  }
  if (!isDirectory) {
    throw new VdnnError("ERR_SPILL", `--spill ${directory}: expected a directory, got a file; name its directory`, {
      directory,
    });
  }
}

/** Opens a new file, takes its name away, and proves that it can be written and read the way the streams will do it. */
function openUnlinked(path: string, extraFlags: number, alignment: number): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | extraFlags, 0o600);
  try {
    if (POSIX) unlinkSync(path);
    const slot = new HostPool({ capacityBytes: 65_536, alignment }).allocate(alignment)!;
    writeSync(fd, paddedView(slot), 0, alignment, 0);
    readSync(fd, paddedView(slot), 0, alignment, 0);
    ftruncateSync(fd, 0);
    return fd;
  } catch (error) {
    closeSync(fd);
    unlinkQuietly(path);
    throw error;
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // gone already
  }
}

function invalid(option: string, expected: string, got: unknown): never {
  throw new VdnnError("ERR_INVALID_OPTION", `${option}: expected ${expected}, got ${String(got)}`, { option, got });
}
