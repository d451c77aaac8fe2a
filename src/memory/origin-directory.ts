/**
 * The spill tier's place in a browser: files in the origin's private file system (OPFS). Nothing removes them when a tab dies, so
 * each owner holds a Web Lock of its file's name as long as it lives, and whoever starts next removes the files that nobody holds.
 */
import { VdnnError } from "../errors.ts";

/** The part of the File System API used here; the ES libraries of TypeScript do not declare it without the DOM. */
export interface OriginDirectory {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<OriginDirectory>;
  getFileHandle(name: string, options: { create: boolean }): Promise<OriginFileHandle>;
  removeEntry(name: string): Promise<void>;
  keys(): AsyncIterable<string>;
}

export interface OriginFileHandle {
  /** Only in dedicated workers. */
  createSyncAccessHandle?(): Promise<SyncAccessHandle>;
}

/** Exclusive and synchronous access to a file. Both moves return the bytes moved. */
export interface SyncAccessHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  close(): void;
}

interface LockManager {
  request<T>(
    name: string,
    options: { ifAvailable: boolean },
    hold: (lock: object | null) => Promise<T> | T,
  ): Promise<T>;
}

interface BrowserScope {
  readonly navigator: {
    readonly storage?: { getDirectory?(): Promise<OriginDirectory> };
    readonly locks?: LockManager;
  };
}

/** A file name that is this session's until `release`. */
export interface OriginPlace {
  readonly directory: OriginDirectory;
  /** Names of the directories below the origin's root. */
  readonly path: readonly string[];
  readonly name: string;
  readonly release: () => void;
}

const PREFIX = "vdnn-spill-";

const scope = globalThis as unknown as BrowserScope;

/**
 * Opens a directory of the origin's private file system, removes what dead sessions left there, and takes a new name in it.
 *
 * @param path names of directories, separated by slashes; those that are missing are made
 * @throws VdnnError `ERR_SPILL` when the browser has no such file system, or keeps it from this page
 */
export async function takePlace(path: string): Promise<OriginPlace> {
  const { storage, locks } = scope.navigator;
  if (storage?.getDirectory === undefined || locks === undefined) {
    throw new VdnnError(
      "ERR_SPILL",
      "spill: expected the origin's private file system, which this browser lacks or keeps to secure contexts; serve the page over " +
        "https or from localhost, or leave the option out",
      { directory: path },
    );
  }
  const names = path.split("/").filter((name) => name !== "");
  try {
    let directory = await storage.getDirectory();
    for (const name of names) directory = await directory.getDirectoryHandle(name, { create: true });
    await removeStale(directory, locks);
    const name = `${PREFIX}${crypto.randomUUID()}`;
    return { directory, path: names, name, release: await hold(locks, name) };
  } catch (cause) {
    throw spillError(path, cause);
  }
}

/** What the browser said when a file could not be made, written or read. */
export function spillError(path: string, cause: unknown): VdnnError {
  const { name = "", message = String(cause) } = cause as { name?: string; message?: string };
  const why =
    name === "QuotaExceededError"
      ? "the origin's storage quota is used up; free storage of this site, or lower spillMemory"
      : `${name || "an error"}: ${message}; name another directory, or leave the option out`;
  return new VdnnError(
    "ERR_SPILL",
    `spill ${path} in the origin's private file system: ${why}`,
    { directory: path, reason: name },
    { cause },
  );
}

/** Takes a lock; resolves, when it is held, to what lets go of it. The browser does so when the page or worker ends. */
function hold(locks: LockManager, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    locks.request(name, { ifAvailable: false }, () => new Promise<void>((release) => resolve(release))).catch(reject);
  });
}

async function removeStale(directory: OriginDirectory, locks: LockManager): Promise<void> {
  const names: string[] = [];
  for await (const name of directory.keys()) if (name.startsWith(PREFIX)) names.push(name);
  for (const name of names) {
    await locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock === null) return;
      // Another session that starts now may be faster, and a worker that just died may not have let go of the file.
      await directory.removeEntry(name).catch(() => undefined);
    });
  }
}
