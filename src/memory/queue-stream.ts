/**
 * A stream for drivers that await: p-queue with concurrency 1 over any promise-making `perform`. It cannot block; whoever has
 * to wait inside a synchronous step needs a `WorkerStream`.
 */
import PQueue from "p-queue";
import { VdnnError } from "../errors.ts";
import type { Stream, StreamEvent } from "./stream.ts";

export interface QueueStreamOptions<C> {
  readonly name: string;
  /** Does one command; its rejection is the error of that command's event alone. */
  readonly perform: (command: C) => Promise<void>;
  /** Commands in flight before `submit` throws (it cannot block). Default Infinity. */
  readonly capacity?: number;
}

export class QueueStream<C> implements Stream<C> {
  readonly name: string;
  readonly canBlock = false;
  readonly #perform: (command: C) => Promise<void>;
  readonly #capacity: number;
  readonly #queue = new PQueue({ concurrency: 1 });
  #closing: Promise<void> | undefined;

  constructor({ name, perform, capacity = Infinity }: QueueStreamOptions<C>) {
    this.name = name;
    this.#perform = perform;
    this.#capacity = capacity;
  }

  /** @throws VdnnError `ERR_STREAM` when closed, or when `capacity` commands are in flight */
  submit(command: C): StreamEvent {
    if (this.#closing !== undefined) throw new VdnnError("ERR_STREAM", `stream ${this.name}: used after close`);
    const inFlight = this.#queue.size + this.#queue.pending;
    if (inFlight >= this.#capacity) {
      throw new VdnnError(
        "ERR_STREAM",
        `stream ${this.name}: expected at most ${this.#capacity} commands in flight; await an earlier event first`,
        { stream: this.name, inFlight, capacity: this.#capacity },
      );
    }
    let isReached = false;
    let failure: { readonly error: unknown } | undefined;
    // Never rejects, so that an event nobody awaits is no unhandled rejection; `wait` and `done` report the error.
    const settled = this.#queue
      .add(() => this.#perform(command))
      .catch((error: unknown) => {
        failure = { error };
      })
      .finally(() => {
        isReached = true;
      });
    const rethrow = (): void => {
      if (failure !== undefined) throw failure.error;
    };
    return {
      get isReached() {
        return isReached;
      },
      wait: () => {
        if (!isReached) {
          const message = `stream ${this.name}: cannot block on promises; await done() or use a WorkerStream`;
          throw new VdnnError("ERR_STREAM", message, { stream: this.name });
        }
        rethrow();
      },
      done: async () => {
        await settled;
        rethrow();
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue.onIdle();
    return this.#closing;
  }
}
