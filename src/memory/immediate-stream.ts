/**
 * A stream that is no queue: each command is done when `submit` returns. For copies that only this thread can make, and that
 * need no waiting, such as those of a worker with synchronous access to a file. They overlap with nothing.
 */
import { VdnnError } from "../errors.ts";
import type { Stream, StreamEvent } from "./stream.ts";

export class ImmediateStream<C> implements Stream<C> {
  readonly name: string;
  readonly canBlock = true;
  readonly #perform: (command: C) => void;
  #closed = false;

  /** @param perform does one command; what it throws is the error of that command's event alone */
  constructor(name: string, perform: (command: C) => void) {
    this.name = name;
    this.#perform = perform;
  }

  /** @throws VdnnError `ERR_STREAM` when closed */
  submit(command: C): StreamEvent {
    if (this.#closed) throw new VdnnError("ERR_STREAM", `stream ${this.name}: used after close`);
    let failure: { readonly error: unknown } | undefined;
    try {
      this.#perform(command);
    } catch (error) {
      failure = { error };
    }
    const wait = (): void => {
      if (failure !== undefined) throw failure.error;
    };
    return { isReached: true, wait, done: () => Promise.resolve().then(wait) };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
