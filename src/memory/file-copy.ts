/** The copy between host slot and spill file as a promise, for a `QueueStream` in Node.js. */
import { read, write } from "node:fs";
import { promisify } from "node:util";
import type { CopyCommand } from "./copy.ts";
import { paddedView } from "./host-pool.ts";
import { copyError } from "./spill-error.ts";
import type { SpillFile } from "./spill-file.ts";
import { CHUNK_BYTES } from "./worker-stream-thread.ts";

const readAsync = promisify(read);
const writeAsync = promisify(write);

/**
 * Performs a copy between host slot and spill file, on the thread pool of Node.
 * @throws VdnnError `ERR_SPILL` with what the system said as `cause`
 */
export function performCopy({ fd, path }: SpillFile): (command: CopyCommand) => Promise<void> {
  return async (command) => {
    const { kind, fileOffset, slot } = command;
    const view = paddedView(slot);
    try {
      for (let done = 0; done < view.length;) {
        const bytes = Math.min(CHUNK_BYTES, view.length - done);
        const moved =
          kind === "write"
            ? (await writeAsync(fd, view, done, bytes, fileOffset + done)).bytesWritten
            : (await readAsync(fd, view, done, bytes, fileOffset + done)).bytesRead;
        if (moved === 0) throw new Error("the file ended early");
        done += moved;
      }
    } catch (error) {
      throw copyError(command, path, error);
    }
  };
}
