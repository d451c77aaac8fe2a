/**
 * A copy stream with a worst-case clock, for tests: a command runs as late as possible (when it is waited for, or when the test
 * ticks), so whoever reuses a slot or an extent too early gets wrong bytes. Can be told to fail.
 */
import { readSync, writeSync } from "node:fs";
import type { CopyCommand } from "../../src/memory/copy.ts";
import { paddedView } from "../../src/memory/host-pool.ts";
import { copyError } from "../../src/memory/spill-error.ts";
import type { SpillFile } from "../../src/memory/spill-file.ts";
import type { Stream, StreamEvent } from "../../src/memory/stream.ts";

export class LazyStream implements Stream<CopyCommand> {
  readonly name: string;
  readonly canBlock = true;
  /** What ran, in order. */
  readonly log: CopyCommand[] = [];
  /** Code of the error of commands that run from now on. */
  failure: string | undefined;
  readonly #file: SpillFile;
  readonly #queue: CopyCommand[] = [];
  readonly #errors = new Map<number, Error>();
  #submitted = 0;

  constructor(name: string, file: SpillFile) {
    this.name = name;
    this.#file = file;
  }

  /** Runs up to `count` commands. */
  tick(count: number): void {
    for (const command of this.#queue.splice(0, count)) {
      this.log.push(command);
      const { kind, fileOffset, slot } = command;
      const { fd, path } = this.#file;
      const view = paddedView(slot);
      if (this.failure !== undefined) {
        const cause = Object.assign(new Error(this.failure), { code: this.failure });
        this.#errors.set(this.log.length, copyError(command, path, cause));
      } else if (kind === "read") readSync(fd, view, 0, view.length, fileOffset);
      else writeSync(fd, view, 0, view.length, fileOffset);
    }
  }

  submit(command: CopyCommand): StreamEvent {
    this.#queue.push(command);
    this.#submitted += 1;
    const position = this.#submitted;
    const isReached = (): boolean => this.log.length >= position;
    const wait = (): void => {
      this.tick(position - this.log.length);
      const error = this.#errors.get(position);
      if (error !== undefined) throw error;
    };
    return {
      get isReached() {
        return isReached();
      },
      wait,
      done: () => Promise.resolve().then(wait),
    };
  }

  close(): Promise<void> {
    this.tick(Infinity);
    return Promise.resolve();
  }
}
