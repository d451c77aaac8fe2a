/**
 * A copy stream on a thread of its own, commanded through a ring in shared memory: the training thread submits, polls and
 * blocks without ever yielding to its event loop, so copies overlap even inside a synchronous training step. One stream runs
 * its commands in order; two streams run beside each other. It never keeps the process alive, except while a `done` is awaited.
 *
 * Invariant: an entry of the ring is rewritten only after the command in it completed and its result was taken.
 */
import { getSystemErrorName } from "node:util";
import { MessageChannel, Worker } from "node:worker_threads";
import { VdnnError } from "../errors.ts";
import type { CopyCommand, CopySpan } from "./copy.ts";
import { copyError } from "./spill-error.ts";
import type { Stream, StreamEvent } from "./stream.ts";
import { CONTROL, END_OF_FILE, KIND, NUMBERS, STATE, THREAD_SOURCE, WORDS } from "./worker-stream-thread.ts";

export interface WorkerStreamOptions {
  readonly name: string;
  /** The spill file. Stays open as long as the stream. */
  readonly file: { readonly fd: number; readonly path: string };
  /** Commands in flight before `submit` blocks: a power of two. Default 256. */
  readonly capacity?: number;
  /** Called for each copy, late: when this or a later event is waited for, or at the next submit. */
  readonly onSpan?: (span: CopySpan) => void;
  /** A system call that moves 8 MiB is given this long before the stream counts as dead, in ms. Default 300000. */
  readonly stallLimitMs?: number;
}

interface Pending {
  readonly command: CopyCommand;
  error?: VdnnError;
}

type WaitAsync = (
  array: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { readonly value: string | Promise<string> };

/** In Node since 16; declared by TypeScript from ES2024 on. */
const { waitAsync } = Atomics as unknown as { readonly waitAsync: WaitAsync };

/** Longest uninterrupted wait, in ms: the thread's life is checked in between. */
const SLICE_MS = 100;
/** A thread that neither starts nor wakes up for so long, in ms, is gone. */
const WAKE_LIMIT_MS = 30_000;

export class WorkerStream implements Stream<CopyCommand> {
  readonly name: string;
  readonly canBlock = true;
  readonly #file: WorkerStreamOptions["file"];
  readonly #capacity: number;
  readonly #onSpan: ((span: CopySpan) => void) | undefined;
  readonly #stallLimitMs: number;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL.length * 4));
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #pending: (Pending | undefined)[] = [];
  readonly #worker: Worker;
  readonly #port: MessageChannel["port1"];
  readonly #bufferIds = new WeakMap<ArrayBufferLike, number>();
  /** What to add to `process.hrtime`, in ms, to get `performance.now()`. */
  readonly #clockOffsetMs = performance.now() - Number(process.hrtime.bigint()) / 1e6;
  #buffers = 0;
  #submitted = 0;
  #harvested = 0;
  #bytesMoved = 0;
  #awaiting = 0;
  #exited = false;
  readonly #exit: Promise<void>;
  #failure: unknown;
  #closing: Promise<void> | undefined;

  constructor({ name, file, capacity = 256, onSpan, stallLimitMs = 300_000 }: WorkerStreamOptions) {
    if (!(capacity >= 1 && capacity <= 65_536 && Number.isInteger(Math.log2(capacity)))) {
      const message = `capacity: expected a power of two from 1 to 65536, got ${capacity}`;
      throw new VdnnError("ERR_INVALID_OPTION", message, { option: "capacity", got: capacity });
    }
    this.name = name;
    this.#file = file;
    this.#capacity = capacity;
    this.#onSpan = onSpan;
    this.#stallLimitMs = stallLimitMs;
    this.#words = new Int32Array(new SharedArrayBuffer(capacity * WORDS.length * 4));
    this.#numbers = new Float64Array(new SharedArrayBuffer(capacity * NUMBERS.length * 8));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // No flags and no environment: NODE_OPTIONS, loaders and --import of the script must not run in this thread.
    this.#worker = new Worker(THREAD_SOURCE, {
      eval: true,
      execArgv: [],
      env: {},
      name,
      workerData: { control: this.#control, words: this.#words, numbers: this.#numbers, capacity, port: port2 },
      transferList: [port2],
    });
    this.#worker.on("error", (error) => (this.#failure = error));
    // Not `events.once`, which rejects when the thread dies of an error.
    this.#exit = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#exited = true;
        resolve();
      });
    });
    this.#worker.unref();
    this.#port.unref();
  }

  /** Bytes of the copies that completed without an error and were taken note of (see `onSpan`). */
  get bytesMoved(): number {
    return this.#bytesMoved;
  }

  /** @throws VdnnError `ERR_STREAM` when closed, or when the thread is dead */
  submit(command: CopyCommand): StreamEvent {
    if (this.#closing !== undefined) throw new VdnnError("ERR_STREAM", `stream ${this.name}: used after close`);
    this.#waitFor(this.#submitted - this.#capacity + 1);
    const pending: Pending = { command };
    const entry = this.#submitted % this.#capacity;
    this.#pending[entry] = pending;
    const { kind, fileOffset, slot } = command;
    this.#words.set([KIND[kind] ?? -1, this.#file.fd, this.#bufferId(slot.view.buffer), 0], entry * WORDS.length);
    this.#numbers.set([fileOffset, slot.view.byteOffset, slot.paddedBytes, 0, 0], entry * NUMBERS.length);
    this.#publish();
    return this.#event(pending, this.#submitted);
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  /** Commands completed since the start. The ring holds it modulo 2^32; what is in flight is far less. */
  get #completed(): number {
    return this.#submitted - ((this.#submitted - Atomics.load(this.#control, CONTROL.completed)) | 0);
  }

  #event(pending: Pending, position: number): StreamEvent {
    const isReached = (): boolean => this.#completed >= position;
    const rethrow = (): void => {
      this.#harvest();
      if (pending.error !== undefined) throw pending.error;
    };
    return {
      get isReached() {
        return isReached();
      },
      wait: () => {
        this.#waitFor(position);
        rethrow();
      },
      done: async () => {
        await this.#settle(position);
        rethrow();
      },
    };
  }

  /**
   * Number of a buffer in the thread; posts it on first sight, ahead of the command that needs it. Growing a segment makes a
   * new buffer object, which is posted in turn, so the thread never depends on when it notices the growth.
   */
  #bufferId(buffer: ArrayBufferLike): number {
    let id = this.#bufferIds.get(buffer);
    if (id === undefined) {
      id = this.#buffers;
      this.#buffers += 1;
      this.#bufferIds.set(buffer, id);
      this.#port.postMessage({ id, buffer }, []);
    }
    return id;
  }

  #publish(): void {
    this.#submitted += 1;
    Atomics.store(this.#control, CONTROL.submitted, this.#submitted | 0);
    Atomics.notify(this.#control, CONTROL.submitted);
  }

  /** Takes the results of completed commands, in order, before their entries are reused. */
  #harvest(): void {
    const completed = this.#completed;
    while (this.#harvested < completed) {
      const entry = this.#harvested % this.#capacity;
      const pending = this.#pending[entry]!;
      this.#pending[entry] = undefined;
      this.#harvested += 1;
      const { command } = pending;
      const errno = this.#words[entry * WORDS.length + WORDS.errno]!;
      if (errno === 0) this.#bytesMoved += command.slot.bytes;
      else pending.error = copyError(command, this.#file.path, systemError(errno, command.kind));
      this.#onSpan?.({
        kind: command.kind,
        bytes: command.slot.bytes,
        startMs: this.#numbers[entry * NUMBERS.length + NUMBERS.startMs]! + this.#clockOffsetMs,
        endMs: this.#numbers[entry * NUMBERS.length + NUMBERS.endMs]! + this.#clockOffsetMs,
      });
    }
  }

  /** Blocks until `position` commands are completed. */
  #waitFor(position: number): void {
    const life = this.#lifeCheck();
    while (this.#completed < position) {
      life();
      const seen = Atomics.load(this.#control, CONTROL.completed);
      if (this.#completed < position) Atomics.wait(this.#control, CONTROL.completed, seen, SLICE_MS);
    }
    this.#harvest();
  }

  async #settle(position: number): Promise<void> {
    const life = this.#lifeCheck();
    this.#awaiting += 1;
    this.#worker.ref();
    try {
      while (this.#completed < position) {
        life();
        const seen = Atomics.load(this.#control, CONTROL.completed);
        if (this.#completed < position) await waitAsync(this.#control, CONTROL.completed, seen, SLICE_MS).value;
      }
    } finally {
      this.#awaiting -= 1;
      if (this.#awaiting === 0 && this.#closing === undefined) this.#worker.unref();
    }
    this.#harvest();
  }

  /**
   * A check to call between slices of waiting; throws when the thread is dead. A blocked thread gets no `exit` event, so the
   * ring must tell: the program says that it ended, or shows no sign of life. Slices are counted instead of reading the
   * clock, so that a suspended machine is no reason.
   */
  #lifeCheck(): () => void {
    let progress = Number.NaN;
    let slices = 0;
    return () => {
      const state = Atomics.load(this.#control, CONTROL.state);
      const now = Atomics.load(this.#control, CONTROL.progress) + Atomics.load(this.#control, CONTROL.completed);
      slices = now === progress ? slices + 1 : 0;
      progress = now;
      const limitMs = state === STATE.busy ? this.#stallLimitMs : WAKE_LIMIT_MS;
      if (state !== STATE.ended && !this.#exited && slices * SLICE_MS < limitMs) return;
      const why = state === STATE.ended || this.#exited ? "ended" : "has shown no sign of life";
      throw new VdnnError(
        "ERR_STREAM",
        `stream ${this.name}: its thread ${why} with ${this.#submitted - this.#completed} copies to do; ` +
          `data on the spill tier may be lost, restart the training from a checkpoint`,
        { stream: this.name, submitted: this.#submitted, completed: this.#completed },
        { cause: this.#failure },
      );
    };
  }

  async #stop(): Promise<void> {
    try {
      await this.#settle(this.#submitted);
      this.#words[(this.#submitted % this.#capacity) * WORDS.length + WORDS.kind] = KIND.stop;
      this.#publish();
    } catch {
      // A dead thread has nothing to drain; the events of its commands report it.
      void this.#worker.terminate();
    }
    this.#worker.ref();
    await this.#exit;
    this.#port.close();
  }
}

function systemError(errno: number, syscall: string): Error {
  if (errno === END_OF_FILE) return new Error("the file ended early");
  if (errno > 0) return new Error("the call was refused by Node");
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${syscall}`), { code, errno, syscall });
}
