/** Keeps the spill file's reads running ahead of the prefetches. */
import type { Follower } from "./follower.ts";
import type { Transfers } from "./transfers.ts";

/** How many tensors are read from the spill file into host memory ahead of their prefetch. */
const READ_AHEAD = 8;

export class ReadAhead {
  readonly #transfers: Pick<Transfers, "readAhead">;
  /** The next of the plan's prefetches to be read. */
  #cursor = 0;
  #prefetched = 0;

  constructor(transfers: Pick<Transfers, "readAhead">) {
    this.#transfers = transfers;
  }

  begin(): void {
    this.#cursor = 0;
    this.#prefetched = 0;
  }

  /** The plan's next prefetch was carried out. */
  prefetched(): void {
    this.#prefetched++;
  }

  /** Starts what is due, as far as there is room in host memory. */
  advance(follower: Follower): void {
    const { prefetches } = follower.compiled;
    const end = Math.min(prefetches.length, this.#prefetched + READ_AHEAD);
    this.#cursor = Math.max(this.#cursor, this.#prefetched);
    while (this.#cursor < end) {
      const block = follower.block(prefetches[this.#cursor] ?? -1);
      if (block !== undefined && !this.#transfers.readAhead(block)) return;
      this.#cursor++;
    }
  }
}
