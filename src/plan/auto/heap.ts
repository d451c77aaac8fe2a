/** A binary heap of indices, the smallest key on top; ties go to the smaller index, so that plans do not depend on luck. */
export class Heap {
  readonly #keys: Float64Array;
  readonly #items: number[] = [];

  /** @param keys the key of each index; must not change while the index is in the heap */
  constructor(keys: Float64Array) {
    this.#keys = keys;
  }

  get size(): number {
    return this.#items.length;
  }

  /** -1 when empty. */
  get top(): number {
    return this.#items.length === 0 ? -1 : (this.#items[0] as number);
  }

  clear(): void {
    this.#items.length = 0;
  }

  push(item: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as number;
      if (!this.#isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number {
    const items = this.#items;
    const top = items[0] as number;
    const item = items.pop() as number;
    const count = items.length;
    if (count === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#isBefore(items[child + 1] as number, items[child] as number)) child++;
      const below = items[child] as number;
      if (!this.#isBefore(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
    return top;
  }

  #isBefore(a: number, b: number): boolean {
    const ka = this.#keys[a] as number;
    const kb = this.#keys[b] as number;
    return ka < kb || (ka === kb && a < b);
  }
}
