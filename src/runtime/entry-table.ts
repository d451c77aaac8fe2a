/**
 * The entries of a session by dataId. A lookup happens several times per kernel, so it is a property of the dataId itself and
 * not a hash table, and the list of all entries is linked through them.
 *
 * Invariants: a dataId carries an entry exactly while that entry is in the list; the list is in order of insertion. An entry
 * that is taken out keeps no link: a dead one that the collector has promoted would keep all that came after it.
 */
import type { Entry } from "./block.ts";
import type { DataId } from "./engine.ts";

const ENTRY: unique symbol = Symbol("vdnn entry");

interface Marked {
  [ENTRY]?: Entry | undefined;
}

export class EntryTable {
  #first: Entry | null = null;
  #last: Entry | null = null;

  get(dataId: DataId): Entry | undefined {
    return (dataId as Marked)[ENTRY];
  }

  add(entry: Entry): void {
    (entry.dataId as Marked)[ENTRY] = entry;
    const last = this.#last;
    entry.previous = last;
    if (last === null) this.#first = entry;
    else last.next = entry;
    this.#last = entry;
  }

  delete(entry: Entry): void {
    (entry.dataId as Marked)[ENTRY] = undefined;
    const { previous, next } = entry;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    entry.previous = null;
    entry.next = null;
  }

  clear(): void {
    while (this.#first !== null) this.delete(this.#first);
  }

  /** In order of insertion. Meanwhile either the entry that was yielded may be taken out, or others. */
  *values(): Generator<Entry, void> {
    for (let entry = this.#first; entry !== null;) {
      const { next } = entry;
      yield entry;
      entry = this.get(entry.dataId) === entry ? entry.next : next;
    }
  }
}
