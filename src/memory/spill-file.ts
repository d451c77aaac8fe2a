/**
 * The file behind host memory in Node.js: one open, already unlinked file. O_DIRECT is used where the file system takes it,
 * because activations are read once: through the page cache they would push out the training data and cost a second copy.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, ftruncateSync, openSync, readSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { VdnnError } from "../errors.ts";
import { HostPool, paddedView } from "./host-pool.ts";
import { SHARED_SEGMENTS } from "./shared-segments.ts";
import { codeOf, spillCreateError } from "./spill-error.ts";
import { SpillExtents, type SpillLimits, type SpillStore } from "./spill-extents.ts";

export interface SpillFileOptions extends SpillLimits {
  /** An existing directory on a local disk. */
  readonly directory: string;
  /** O_DIRECT: `"auto"` where the file system takes it (default), `true` or fail, `false` never. */
  readonly direct?: "auto" | boolean;
}

const POSIX = process.platform !== "win32";

export class SpillFile implements SpillStore {
  readonly fd: number;
  /** True when O_DIRECT is really in use. */
  readonly direct: boolean;
  /** Where it was created; nothing is there any more, except on Windows. */
  readonly path: string;
  readonly extents: SpillExtents;
  readonly #remove = (): void => unlinkQuietly(this.path);
  #closed = false;

  private constructor(fd: number, direct: boolean, path: string, extents: SpillExtents) {
    this.fd = fd;
    this.direct = direct;
    this.path = path;
    this.extents = extents;
    if (!POSIX) process.once("exit", this.#remove);
  }

  /** @throws VdnnError `ERR_SPILL` when no file can be created, written and read there */
  static create({ directory, direct = "auto", ...limits }: SpillFileOptions): SpillFile {
    const extents = new SpillExtents(resolve(directory), limits);
    checkDirectory(directory);
    const path = join(resolve(directory), `vdnn-spill-${process.pid}-${randomUUID()}`);
    if (direct !== false && constants.O_DIRECT !== undefined) {
      try {
        return new SpillFile(openUnlinked(path, constants.O_DIRECT, extents.alignment), true, path, extents);
      } catch (error) {
        // EINVAL is how a file system refuses O_DIRECT; everything else would fail without it as well
        if (direct === true || codeOf(error) !== "EINVAL") throw spillCreateError(directory, error);
      }
    } else if (direct === true) {
      throw new VdnnError(
        "ERR_INVALID_OPTION",
        'direct: expected "auto" or false on a system without O_DIRECT, got true',
        { option: "direct", got: direct },
      );
    }
    try {
      return new SpillFile(openUnlinked(path, 0, extents.alignment), false, path, extents);
    } catch (error) {
      throw spillCreateError(directory, error);
    }
  }

  /** Closes the descriptor, and with it the disk space goes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.extents.close();
    closeSync(this.fd);
    if (POSIX) return;
    this.#remove();
    process.removeListener("exit", this.#remove);
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
    const slot = new HostPool({ capacityBytes: 65_536, alignment, segments: SHARED_SEGMENTS }).allocate(alignment)!;
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
