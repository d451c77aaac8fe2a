/**
 * The worker that holds a spill file open for a thread that cannot: browsers give synchronous access to files only in workers.
 * Its program is plain JavaScript in a string, started from a Blob, so that it survives bundlers and foreign origins. The site's
 * content security policy must allow that (`worker-src blob:`).
 *
 *   owner                                      worker
 *   { open: path, name }               ──▶     opens the file
 *   { write: offset, bytes, buffer }   ──▶     writes buffer[0, bytes)
 *   { read: offset, bytes, buffer }    ──▶     reads into it
 *                                      ◀──     { buffer }, or { error: { name, message }, buffer }
 *   { close: true }                    ──▶     closes and removes the file
 *
 * A message is answered before the next one is looked at, so the copies happen in the order in which they are asked for.
 * Buffers are handed over and back, never copied by a message.
 */
import { VdnnError } from "../errors.ts";

export type OriginRequest =
  | { readonly open: readonly string[]; readonly name: string }
  | { readonly write: number; readonly bytes: number; readonly buffer: ArrayBuffer }
  | { readonly read: number; readonly bytes: number; readonly buffer: ArrayBuffer }
  | { readonly close: true };

interface Answer {
  readonly buffer?: ArrayBuffer;
  readonly error?: { readonly name: string; readonly message: string };
}

interface BrowserWorker {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  terminate(): void;
  addEventListener(type: "message", listener: (event: { readonly data: Answer }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
}

interface BrowserScope {
  readonly Worker?: new (url: string, options: { readonly name: string }) => BrowserWorker;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (cause: unknown) => void;
}

const PROGRAM = `"use strict";
let directory, name, file;
const run = async (request) => {
  if (request.open) {
    directory = await navigator.storage.getDirectory();
    for (const part of request.open) directory = await directory.getDirectoryHandle(part, { create: true });
    name = request.name;
    file = await (await directory.getFileHandle(name, { create: true })).createSyncAccessHandle();
  } else if (request.close) {
    file?.close();
    await directory?.removeEntry(name);
  } else {
    const { write, read, bytes, buffer } = request;
    const view = new Uint8Array(buffer, 0, bytes);
    const moved = write === undefined ? file.read(view, { at: read }) : file.write(view, { at: write });
    if (moved !== bytes) throw new Error("only " + moved + " of " + bytes + " bytes were moved");
  }
};
let last = Promise.resolve();
onmessage = ({ data }) => {
  last = last.then(async () => {
    let error;
    try {
      await run(data);
    } catch ({ name, message }) {
      error = { name, message };
    }
    postMessage({ buffer: data.buffer, error }, data.buffer ? [data.buffer] : []);
  });
};
`;

export class OriginWorker {
  readonly #worker: BrowserWorker;
  /** Requests without an answer, oldest first. */
  readonly #waiting: Waiting[] = [];
  #failure: VdnnError | undefined;

  /** @throws VdnnError `ERR_SPILL` when there are no workers here, or none from a Blob */
  constructor() {
    const { Worker } = globalThis as unknown as BrowserScope;
    if (Worker === undefined) throw refused(undefined);
    const url = URL.createObjectURL(new Blob([PROGRAM], { type: "text/javascript" }));
    try {
      this.#worker = new Worker(url, { name: "vdnn spill" });
    } catch (cause) {
      throw refused(cause);
    } finally {
      URL.revokeObjectURL(url);
    }
    this.#worker.addEventListener("message", ({ data }) => this.#waiting.shift()?.resolve(data));
    this.#worker.addEventListener("error", ({ message }) => {
      this.#failure = refused(message);
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    });
  }

  /**
   * Resolves when the request was carried out, to the buffer that it took.
   * @throws what the browser said, with the name of its `DOMException`; VdnnError `ERR_SPILL` when the worker did not start
   */
  async ask(request: OriginRequest): Promise<ArrayBuffer | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const { buffer, error } = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request, "buffer" in request ? [request.buffer] : []);
    });
    if (error !== undefined) throw Object.assign(new Error(error.message), { name: error.name });
    return buffer;
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

function refused(cause: unknown): VdnnError {
  return new VdnnError(
    "ERR_SPILL",
    "spill: the worker that holds the file does not start; allow `worker-src blob:` in the content security policy, or train in a " +
      "worker of your own",
    {},
    { cause },
  );
}
