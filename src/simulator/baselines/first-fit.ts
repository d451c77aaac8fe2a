/** One device's address space with first fit from either end, as FlashNeuron keeps what stays apart from what moves. In pages. */

interface Range {
  start: number;
  pages: number;
}

/** Invariant: free ranges are sorted, disjoint, not empty and never adjacent. */
export class FirstFit {
  #free: Range[];

  constructor(pages: number) {
    this.#free = [{ start: 0, pages }];
  }

  get largest(): number {
    return this.#free.reduce((most, { pages }) => Math.max(most, pages), 0);
  }

  /** Returns the first page, or -1 when no range is large enough. */
  take(pages: number, end: "left" | "right"): number {
    if (pages === 0) return 0;
    const free = this.#free;
    const i = end === "left" ? free.findIndex((r) => r.pages >= pages) : free.findLastIndex((r) => r.pages >= pages);
    const range = free[i];
    if (range === undefined) return -1;
    const start = end === "left" ? range.start : range.start + range.pages - pages;
    if (end === "left") range.start += pages;
    range.pages -= pages;
    if (range.pages === 0) free.splice(i, 1);
    return start;
  }

  give(start: number, pages: number): void {
    if (pages === 0) return;
    const at = this.#free.findIndex((r) => r.start > start);
    const i = at < 0 ? this.#free.length : at;
    const [before, after] = [this.#free[i - 1], this.#free[i]];
    const joinsAfter = after !== undefined && start + pages === after.start;
    if (before !== undefined && before.start + before.pages === start) {
      before.pages += pages + (joinsAfter ? after.pages : 0);
      if (joinsAfter) this.#free.splice(i, 1);
    } else if (joinsAfter) {
      after.start = start;
      after.pages += pages;
    } else {
      this.#free.splice(i, 0, { start, pages });
    }
  }
}
