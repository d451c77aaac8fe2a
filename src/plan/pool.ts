/**
 * The bytes of one tier in time. Grants are made in the order in which they are asked for; a grant waits for as many releases
 * as it needs. Releases must be told before the grants that may use them.
 */

/** Invariant: `pending` is sorted by time, and the used bytes include those that are still to be released. */
export class Pool {
  readonly budgetBytes: number;
  usedBytes = 0;
  /** A grant had to be made although nothing was left to wait for. */
  isOverdrawn = false;
  #lastGrantMs = 0;
  #pendingBytes = 0;
  #times: number[] = [];
  #bytes: number[] = [];
  #head = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** Bytes in use once every release told so far has happened. */
  get settledBytes(): number {
    return this.usedBytes - this.#pendingBytes;
  }

  /** Takes bytes; returns the earliest time at which they are there. */
  grant(bytes: number): number {
    if (bytes <= 0) return 0;
    while (this.usedBytes + bytes > this.budgetBytes && this.#head < this.#times.length) {
      const freed = this.#bytes[this.#head] as number;
      this.#lastGrantMs = Math.max(this.#lastGrantMs, this.#times[this.#head] as number);
      this.usedBytes -= freed;
      this.#pendingBytes -= freed;
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#times.length) this.#compact();
    this.usedBytes += bytes;
    if (this.usedBytes > this.budgetBytes) this.isOverdrawn = true;
    return this.#lastGrantMs;
  }

  /** When a grant of so many bytes would be made; Infinity if never. */
  peek(bytes: number): number {
    let over = this.usedBytes + bytes - this.budgetBytes;
    let ms = this.#lastGrantMs;
    for (let i = this.#head; over > 0; i++) {
      if (i >= this.#times.length) return Number.POSITIVE_INFINITY;
      ms = Math.max(ms, this.#times[i] as number);
      over -= this.#bytes[i] as number;
    }
    return ms;
  }

  /** Gives bytes back at a time that no later grant can precede. */
  releaseNow(bytes: number): void {
    this.usedBytes -= bytes;
  }

  /** Gives bytes back at a time to come. */
  releaseAt(ms: number, bytes: number): void {
    if (bytes <= 0) return;
    this.#pendingBytes += bytes;
    let i = this.#times.length;
    this.#times.push(ms);
    this.#bytes.push(bytes);
    for (; i > this.#head && (this.#times[i - 1] as number) > ms; i--) {
      this.#times[i] = this.#times[i - 1] as number;
      this.#bytes[i] = this.#bytes[i - 1] as number;
    }
    this.#times[i] = ms;
    this.#bytes[i] = bytes;
  }

  #compact(): void {
    this.#times = this.#times.slice(this.#head);
    this.#bytes = this.#bytes.slice(this.#head);
    this.#head = 0;
  }
}
