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
}

export class QueueStream<C> implements Stream<C> {
  readonly name: string;
  readonly canBlock = false;
  readonly #perform: (command: C) => Promise<void>;
  readonly #queue = new PQueue({ concurrency: 1 });
  #closing: Promise<void> | undefined;

  constructor({ name, perform }: QueueStreamOptions<C>) {
    this.name = name;
    this.#perform = perform;
  }

  /** @throws VdnnError `ERR_STREAM` when closed */
  submit(command: C): StreamEvent {
    if (this.#closing !== undefined) throw new VdnnError("ERR_STREAM", `stream ${this.name}: used after close`);
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
