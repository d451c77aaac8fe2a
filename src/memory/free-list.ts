/**
 * The free ranges of one address space, for a host segment or the spill file: best fit, merged with their neighbours. It
 * knows neither the size of the space nor what is allocated; its owner does.
 *
 * Invariant: ranges are sorted by offset, disjoint, not empty and never adjacent.
 */

interface Range {
  offset: number;
  bytes: number;
}

export class FreeList {
  readonly #ranges: Range[] = [];

  /** Size of the smallest range with room for `bytes`, or undefined. */
  fit(bytes: number): number | undefined {
    return this.#ranges[this.#bestFit(bytes)]?.bytes;
  }

  /** Bytes free directly before `end`, the end of the space. */
  tailBytes(end: number): number {
    const tail = this.#ranges.at(-1);
    return tail !== undefined && tail.offset + tail.bytes === end ? tail.bytes : 0;
  }

  /** Takes `bytes` off the start of the smallest range that has room; returns the offset, or undefined. */
  take(bytes: number): number | undefined {
    const index = this.#bestFit(bytes);
    const range = this.#ranges[index];
    if (range === undefined) return undefined;
    const { offset } = range;
    range.offset += bytes;
    range.bytes -= bytes;
    if (range.bytes === 0) this.#ranges.splice(index, 1);
    return offset;
  }

  /** Adds a range that is not in the list. */
  put(offset: number, bytes: number): void {
    const ranges = this.#ranges;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    const before = ranges[low - 1];
    const after = ranges[low];
    const joinsBefore = before !== undefined && before.offset + before.bytes === offset;
    const joinsAfter = after !== undefined && offset + bytes === after.offset;
    const start = joinsBefore ? before.offset : offset;
    const end = joinsAfter ? after.offset + after.bytes : offset + bytes;
    const replaced = Number(joinsBefore) + Number(joinsAfter);
    ranges.splice(joinsBefore ? low - 1 : low, replaced, { offset: start, bytes: end - start });
  }

  #bestFit(bytes: number): number {
    let best = -1;
    let bestBytes = Infinity;
    for (const [index, range] of this.#ranges.entries()) {
      if (range.bytes >= bytes && range.bytes < bestBytes) {
        best = index;
        bestBytes = range.bytes;
      }
    }
    return best;
  }
}
