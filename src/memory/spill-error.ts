/**
 * The typed errors of the spill tier: what the system said, put as what was expected, what was found and what to do.
 */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { CopyCommand } from "./copy.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist or takes no new files; create it first or name another one",
  ENOTDIR: "a file is in the way; name a directory",
  EACCES: "no permission to write there; name another one or change its mode",
  EPERM: "no permission to write there; name another one or change its mode",
  EROFS: "the file system is read-only; name another one",
  ENOSPC: "the disk is full; free space there or name another one",
  EDQUOT: "the disk quota is used up; free space there or name another one",
  EINVAL: "the file system refuses O_DIRECT; leave `direct` at its default",
};

/** A spill file could not be created, or not be written and read back, in `directory`. */
export function spillCreateError(directory: string, cause: unknown): VdnnError {
  const code = codeOf(cause);
  const reason = REASONS[code ?? ""] ?? `${textOf(cause)}; name another one`;
  return new VdnnError(
    "ERR_SPILL",
    `--spill ${directory}: expected a directory that takes a spill file, got ${code ?? "an error"}: ${reason}`,
    { directory, errno: code },
    { cause },
  );
}

/** A copy to or from the file at `path` failed, on whichever stream. */
export function copyError(command: CopyCommand, path: string, cause: unknown): VdnnError {
  const code = codeOf(cause);
  const { kind, fileOffset, slot } = command;
  const why =
    code === "ENOSPC" || code === "EDQUOT"
      ? "the disk is full; free space there or give --spill another directory"
      : `${textOf(cause)}; check the disk or give --spill another directory`;
  return new VdnnError(
    "ERR_SPILL",
    `${path}: ${kind === "write" ? "writing" : "reading"} ${formatBytes(slot.bytes)} at offset ${fileOffset} failed: ${why}`,
    { kind, path, fileOffset, bytes: slot.bytes, errno: code },
    { cause },
  );
}

/** `ENOSPC`, `EINVAL`, …; undefined for an error that is not the system's. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
