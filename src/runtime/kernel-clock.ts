/**
 * Time in kernels. What a kernel touches is stamped with its time, and a stamp of now says that it is in use. A kernel that runs
 * for the sake of another (a replay) has a time of its own, and the stamps of those that wait for it stay valid.
 */
import type { Block } from "./block.ts";

export class KernelClock {
  #now = 0;
  #ticks = 0;
  /** Times of the kernels that wait for the one that runs now. */
  readonly #waiting: number[] = [];

  /** Time of the running kernel. */
  get now(): number {
    return this.#now;
  }

  /** Another kernel begins. */
  tick(): void {
    this.#now = ++this.#ticks;
  }

  /** Runs a kernel for the sake of another, which waits for it and whose inputs stay meanwhile. */
  nest<T>(run: () => T): T {
    const outer = this.#now;
    this.#waiting.push(outer);
    this.tick();
    try {
      return run();
    } finally {
      this.#waiting.pop();
      this.#now = outer;
    }
  }

  /** The running kernel uses it. The stamp of a kernel that waits for this one holds longer, and stays. */
  touch(block: Block): void {
    if (this.#waiting.length === 0 || !this.#waiting.includes(block.lastTouch)) block.lastTouch = this.#now;
  }

  /** A kernel that has begun and not ended uses it. */
  isInUse(block: Block): boolean {
    return block.lastTouch === this.#now || this.#waiting.includes(block.lastTouch);
  }
}
