/**
 * Where the pages of every tensor are under unified memory, as G10's simulator keeps them: counts per tensor and place, and the order
 * in which pages arrived on the device. That order is what the artifact evicts by: it calls it LRU, but an access by a kernel does
 * not touch it, only an arrival does, so it is first in, first out.
 *
 * Runs of pages of one tensor that arrived one after the other are one node of a linked list.
 */

/** Invariant: for every tensor the pages on the device, host and SSD add up to at most its size; the rest was never written or is dead. */
export class Pages {
  readonly size: Float64Array;
  readonly device: Float64Array;
  readonly host: Float64Array;
  readonly ssd: Float64Array;
  /** Of those on the host, on the SSD, nowhere: asked for and not yet here. */
  readonly askedHost: Float64Array;
  readonly askedSsd: Float64Array;
  readonly askedNew: Float64Array;
  deviceFree: number;
  hostFree: number;
  /** Where the search for a page outside the running window goes on; -1 at the end. */
  cursor = -1;
  #head = -1;
  #tail = -1;
  #unused = -1;
  readonly #tensor: number[] = [];
  readonly #pages: number[] = [];
  readonly #next: number[] = [];
  readonly #previous: number[] = [];

  constructor(size: Float64Array, devicePages: number, hostPages: number) {
    const zeros = (): Float64Array => new Float64Array(size.length);
    this.size = size;
    [this.device, this.host, this.ssd] = [zeros(), zeros(), zeros()];
    [this.askedHost, this.askedSsd, this.askedNew] = [zeros(), zeros(), zeros()];
    this.deviceFree = devicePages;
    this.hostFree = hostPages;
  }

  /** Pages of t that nobody has asked for yet, by where they are. */
  missing(t: number): { readonly host: number; readonly ssd: number; readonly fresh: number } {
    const [host, ssd] = [this.host[t] as number, this.ssd[t] as number];
    const fresh = (this.size[t] as number) - (this.device[t] as number) - host - ssd;
    return {
      host: host - (this.askedHost[t] as number),
      ssd: ssd - (this.askedSsd[t] as number),
      fresh: fresh - (this.askedNew[t] as number),
    };
  }

  isHere(t: number): boolean {
    return this.device[t] === this.size[t];
  }

  get oldest(): number {
    return this.#head;
  }

  tensorOf(node: number): number {
    return this.#tensor[node] as number;
  }

  pagesOf(node: number): number {
    return this.#pages[node] as number;
  }

  /** First node at or after the cursor for whose tensor `isFree` holds; -1 when there is none. */
  seek(isFree: (t: number) => boolean): number {
    while (this.cursor >= 0 && !isFree(this.tensorOf(this.cursor))) this.cursor = this.#next[this.cursor] as number;
    return this.cursor;
  }

  resetCursor(): void {
    this.cursor = this.#head;
  }

  arrive(t: number, pages: number): void {
    this.device[t] = (this.device[t] as number) + pages;
    this.deviceFree -= pages;
    if (this.#tail >= 0 && this.#tensor[this.#tail] === t) {
      this.#pages[this.#tail] = (this.#pages[this.#tail] as number) + pages;
      return;
    }
    const node = this.#unused >= 0 ? this.#unused : this.#tensor.length;
    if (this.#unused >= 0) this.#unused = this.#next[node] as number;
    this.#tensor[node] = t;
    this.#pages[node] = pages;
    this.#next[node] = -1;
    this.#previous[node] = this.#tail;
    if (this.#tail >= 0) this.#next[this.#tail] = node;
    else this.#head = node;
    this.#tail = node;
  }

  /** Takes pages off the front of a node. */
  leave(node: number, pages: number): void {
    const t = this.tensorOf(node);
    this.device[t] = (this.device[t] as number) - pages;
    this.deviceFree += pages;
    const left = this.pagesOf(node) - pages;
    this.#pages[node] = left;
    if (left > 0) return;
    const [next, previous] = [this.#next[node] as number, this.#previous[node] as number];
    if (this.cursor === node) this.cursor = next;
    if (previous >= 0) this.#next[previous] = next;
    else this.#head = next;
    if (next >= 0) this.#previous[next] = previous;
    else this.#tail = previous;
    this.#next[node] = this.#unused;
    this.#unused = node;
  }
}
