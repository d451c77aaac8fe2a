/**
 * Bytes over kernels: a segment tree with addition to a range and the maximum of a range. What is away, or has come back early,
 * is added and taken off; whether something more has room is one maximum.
 */

/**
 * Invariant: a node's maximum is that of its two children plus the node's own addition. One leaf at either end stays unused, so
 * that every range lies strictly between two leaves.
 */
export class Curve {
  readonly #size: number;
  readonly #max: Float64Array;
  readonly #added: Float64Array;

  constructor(length: number) {
    let size = 2;
    while (size < length + 2) size *= 2;
    this.#size = size;
    this.#max = new Float64Array(2 * size);
    this.#added = new Float64Array(2 * size);
  }

  /** Takes over these values; what lies beyond them is -Infinity. */
  reset(values: Float64Array): void {
    const size = this.#size;
    const max = this.#max;
    this.#added.fill(0);
    max.fill(Number.NEGATIVE_INFINITY);
    max.set(values, size + 1);
    for (let node = size - 1; node > 0; node--) {
      const left = max[2 * node] as number;
      const right = max[2 * node + 1] as number;
      max[node] = left > right ? left : right;
    }
  }

  /** Adds to every k with from <= k < to. */
  add(from: number, to: number, bytes: number): void {
    if (from >= to) return;
    const max = this.#max;
    const added = this.#added;
    let left = from + this.#size;
    let right = to + this.#size + 1;
    for (; (left ^ right) !== 1; left >>= 1, right >>= 1) {
      if ((left & 1) === 0) {
        max[left + 1]! += bytes;
        added[left + 1]! += bytes;
      }
      if ((right & 1) === 1) {
        max[right - 1]! += bytes;
        added[right - 1]! += bytes;
      }
      this.#pull(left >> 1);
      this.#pull(right >> 1);
    }
    for (left >>= 1; left > 0; left >>= 1) this.#pull(left);
  }

  /** The maximum over from <= k < to; -Infinity of nothing. */
  max(from: number, to: number): number {
    if (from >= to) return Number.NEGATIVE_INFINITY;
    const max = this.#max;
    const added = this.#added;
    let left = from + this.#size;
    let right = to + this.#size + 1;
    let ofLeft = Number.NEGATIVE_INFINITY;
    let ofRight = Number.NEGATIVE_INFINITY;
    // Climbs along both edges; each side collects what was added above the nodes that it has taken.
    for (; (left ^ right) !== 1; left >>= 1, right >>= 1) {
      if ((left & 1) === 0 && (max[left + 1] as number) > ofLeft) ofLeft = max[left + 1] as number;
      if ((right & 1) === 1 && (max[right - 1] as number) > ofRight) ofRight = max[right - 1] as number;
      ofLeft += added[left >> 1] as number;
      ofRight += added[right >> 1] as number;
    }
    let best = ofLeft > ofRight ? ofLeft : ofRight;
    for (left >>= 1; left > 0; left >>= 1) best += added[left] as number;
    return best;
  }

  /** The maximum over all. */
  get highest(): number {
    return this.#max[1] as number;
  }

  /** The first k of that maximum. */
  get peak(): number {
    const size = this.#size;
    const max = this.#max;
    let node = 1;
    while (node < size) node = (max[2 * node] as number) >= (max[2 * node + 1] as number) ? 2 * node : 2 * node + 1;
    return node - size - 1;
  }

  at(k: number): number {
    let node = k + this.#size + 1;
    let value = this.#max[node] as number;
    for (node >>= 1; node > 0; node >>= 1) value += this.#added[node] as number;
    return value;
  }

  #pull(node: number): void {
    const max = this.#max;
    const left = max[2 * node] as number;
    const right = max[2 * node + 1] as number;
    max[node] = (left > right ? left : right) + (this.#added[node] as number);
  }
}
