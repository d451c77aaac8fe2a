/** Sums that sizes can make. Tensors move whole, so at least the next such sum has to. */
import { firstFrom } from "../ascending.ts";

/** Distinct sums that are kept track of; beyond, only what all sizes are multiples of. */
const MAX_SUMS = 256;
const NONE = new Float64Array(0);

/** Invariant: `#sums` are all sums of the sizes told so far, ascending, or empty when there are too many. */
export class SubsetSums {
  #sums: Float64Array = Float64Array.of(0);
  #unit = 0;
  #total = 0;

  clear(): void {
    this.#sums = Float64Array.of(0);
    this.#unit = 0;
    this.#total = 0;
  }

  add(size: number): void {
    if (this.#unit === 0 || size % this.#unit !== 0) this.#unit = gcd(size, this.#unit);
    this.#total += size;
    const old = this.#sums;
    if (old.length === 0) return;
    const merged = new Float64Array(Math.min(2 * old.length, MAX_SUMS));
    let count = 0;
    for (let i = 0, j = 0; j < old.length;) {
      const plain = i < old.length ? (old[i] as number) : Number.POSITIVE_INFINITY;
      const with_ = (old[j] as number) + size;
      const next = plain < with_ ? plain : with_;
      if (plain === next) i++;
      if (with_ === next) j++;
      if (count === MAX_SUMS) {
        this.#sums = NONE;
        return;
      }
      merged[count++] = next;
    }
    this.#sums = merged.slice(0, count);
  }

  /** No sum that is at least `need` is less than this. Infinity when all sizes together are less. */
  atLeast(need: number): number {
    if (need > this.#total) return Number.POSITIVE_INFINITY;
    if (need <= 0) return 0;
    const sums = this.#sums;
    if (sums.length === 0) return Math.ceil(need / this.#unit) * this.#unit;
    return sums[firstFrom(sums, need)] as number;
  }
}

function gcd(a: number, b: number): number {
  while (b !== 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
