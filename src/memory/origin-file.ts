/**
 * The file behind host memory in a browser. Where this thread may access it synchronously it does (a blocking backend in a
 * worker); else a worker of its own holds it, and copies overlap with compute. The file is removed at the end.
 */
import { VdnnError } from "../errors.ts";
import type { CopyCommand, CopySpan } from "./copy.ts";
import { paddedView } from "./host-pool.ts";
import { ImmediateStream } from "./immediate-stream.ts";
import { type OriginPlace, spillError, type SyncAccessHandle, takePlace } from "./origin-directory.ts";
import { OriginWorker } from "./origin-worker.ts";
import { QueueStream } from "./queue-stream.ts";
import { SpillExtents, type SpillStore } from "./spill-extents.ts";
import type { Stream } from "./stream.ts";

export interface OriginFileOptions {
  /** Path below the origin's root. */
  readonly directory: string;
  readonly maxBytes: number;
  /** Called for each copy. */
  readonly onSpan: (span: CopySpan) => void;
  readonly now: () => number;
}

/** A spill file with its streams. */
export interface OriginFile extends SpillStore {
  readonly offload: Stream<CopyCommand>;
  readonly prefetch: Stream<CopyCommand>;
}

/** What one message carries at most: the copy of a slot takes no more host memory than this beside it. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * A file that this thread reads and writes itself.
 * @throws VdnnError `ERR_INVALID_OPTION` on the main thread, which no browser lets; `ERR_SPILL` when it cannot be made
 */
export async function openOriginFile(options: OriginFileOptions): Promise<OriginFile> {
  const place = await takePlace(options.directory);
  let handle: SyncAccessHandle | undefined;
  try {
    const file = await place.directory.getFileHandle(place.name, { create: true });
    handle = await file.createSyncAccessHandle?.();
  } catch (cause) {
    await vacate(place);
    throw spillError(options.directory, cause);
  }
  if (handle === undefined) {
    await vacate(place);
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      "spill: this backend cannot wait for a file on the main thread of a page; train in a worker, or use the webgpu backend",
      { option: "spill", got: options.directory },
    );
  }
  const open = handle;
  const stream = (name: string): Stream<CopyCommand> =>
    new ImmediateStream<CopyCommand>(name, (command) => {
      const startMs = options.now();
      copyNow(open, command, options.directory);
      options.onSpan(spanOf(command, startMs, options.now()));
    });
  return storeOf(options, { offload: stream("offload"), prefetch: stream("prefetch") }, async () => {
    open.close();
    await vacate(place);
  });
}

/**
 * A file that a worker of its own reads and writes, in the order of the copies.
 * @throws VdnnError `ERR_SPILL` when it cannot be made
 */
export async function openOriginFileInWorker(options: OriginFileOptions): Promise<OriginFile> {
  const place = await takePlace(options.directory);
  let worker: OriginWorker | undefined;
  try {
    worker = new OriginWorker();
    await worker.ask({ open: place.path, name: place.name });
  } catch (cause) {
    worker?.terminate();
    await vacate(place);
    throw cause instanceof VdnnError ? cause : spillError(options.directory, cause);
  }
  const holder = worker;
  const stream = (name: string): Stream<CopyCommand> => {
    let buffer = new ArrayBuffer(0);
    return new QueueStream<CopyCommand>({
      name,
      perform: async (command) => {
        const startMs = options.now();
        if (buffer.byteLength === 0) buffer = new ArrayBuffer(CHUNK_BYTES);
        buffer = await copyThrough(holder, command, buffer, options.directory);
        options.onSpan(spanOf(command, startMs, options.now()));
      },
    });
  };
  return storeOf(options, { offload: stream("offload"), prefetch: stream("prefetch") }, async () => {
    await holder.ask({ close: true }).catch(() => undefined);
    holder.terminate();
    place.release();
  });
}

function copyNow(handle: SyncAccessHandle, { kind, fileOffset, slot }: CopyCommand, directory: string): void {
  const view = paddedView(slot);
  try {
    const at = { at: fileOffset };
    const moved = kind === "write" ? handle.write(view, at) : handle.read(view, at);
    if (moved !== view.length) throw new Error(`only ${moved} of ${view.length} bytes were moved`);
  } catch (cause) {
    throw spillError(directory, cause);
  }
}

/** Copies by messages, with one buffer that goes back and forth. Returns it. */
async function copyThrough(
  worker: OriginWorker,
  { kind, fileOffset, slot }: CopyCommand,
  carrier: ArrayBuffer,
  directory: string,
): Promise<ArrayBuffer> {
  const view = paddedView(slot);
  let buffer = carrier;
  try {
    for (let done = 0; done < view.length; done += CHUNK_BYTES) {
      const part = view.subarray(done, done + CHUNK_BYTES);
      const bytes = part.length;
      if (kind === "write") new Uint8Array(buffer).set(part);
      const at = fileOffset + done;
      buffer =
        (await worker.ask(kind === "write" ? { write: at, bytes, buffer } : { read: at, bytes, buffer })) ?? buffer;
      if (kind === "read") part.set(new Uint8Array(buffer, 0, bytes));
    }
    return buffer;
  } catch (cause) {
    throw cause instanceof VdnnError ? cause : spillError(directory, cause);
  }
}

function spanOf({ kind, slot }: CopyCommand, startMs: number, endMs: number): CopySpan {
  return { kind, bytes: slot.bytes, startMs, endMs };
}

function storeOf(
  { directory, maxBytes }: OriginFileOptions,
  streams: Pick<OriginFile, "offload" | "prefetch">,
  end: () => Promise<void>,
): OriginFile {
  const extents = new SpillExtents(directory, { maxBytes });
  let closing: Promise<void> | undefined;
  return {
    extents,
    ...streams,
    close() {
      extents.close();
      closing ??= end();
      return closing;
    },
  };
}

/** Removes the file, if it was made, and lets go of its name. */
async function vacate({ directory, name, release }: OriginPlace): Promise<void> {
  await directory.removeEntry(name).catch(() => undefined);
  release();
}
