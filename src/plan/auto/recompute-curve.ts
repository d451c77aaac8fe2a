/**
 * A curve over positions with "add to a range" and "largest of all", both in logarithmic time, and single values.
 */
export class Curve {
  // Invariant: top[node] = max(top of its two children) + add[node]; a leaf's value is its top plus add of all its ancestors.
  private readonly size: number;
  private readonly top: Float64Array;
  private readonly add: Float64Array;

  constructor(length: number) {
    let size = 1;
    while (size < length) size *= 2;
    this.size = size;
    this.top = new Float64Array(2 * size);
    this.add = new Float64Array(2 * size);
  }

  load(values: Float64Array): void {
    const { size, top, add } = this;
    add.fill(0);
    top.fill(Number.NEGATIVE_INFINITY);
    top.set(values, size);
    for (let node = size - 1; node > 0; node--) top[node] = Math.max(top[2 * node]!, top[2 * node + 1]!);
  }

  max(): number {
    return this.top[1]!;
  }

  /** First position of the largest value. */
  argmax(): number {
    const { size, top } = this;
    let node = 1;
    while (node < size) node = top[2 * node]! >= top[2 * node + 1]! ? 2 * node : 2 * node + 1;
    return node - size;
  }

  at(position: number): number {
    let node = position + this.size;
    let value = this.top[node]!;
    for (node >>= 1; node > 0; node >>= 1) value += this.add[node]!;
    return value;
  }

  set(position: number, value: number): void {
    const node = position + this.size;
    const delta = value - this.at(position);
    if (delta === 0) return;
    this.top[node]! += delta;
    this.repair(node);
  }

  /** Adds to positions from … to, both included. */
  addTo(from: number, to: number, delta: number): void {
    if (from > to) return;
    const { size, top, add } = this;
    let low = from + size;
    let high = to + size + 1;
    const [first, last] = [low, high - 1];
    for (; low < high; low >>= 1, high >>= 1) {
      if (low & 1) {
        top[low]! += delta;
        if (low < size) add[low]! += delta;
        low++;
      }
      if (high & 1) {
        high--;
        top[high]! += delta;
        if (high < size) add[high]! += delta;
      }
    }
    this.repair(first);
    this.repair(last);
  }

  private repair(leaf: number): void {
    const { top, add } = this;
    for (let node = leaf >> 1; node > 0; node >>= 1) {
      const [a, b] = [top[2 * node]!, top[2 * node + 1]!];
      top[node] = (a > b ? a : b) + add[node]!;
    }
  }
}

/** Range add, point value. */
export class Steps {
  // Invariant: the value at i is the sum of the Fenwick tree's first i + 1 differences.
  private readonly tree: Float64Array;

  constructor(length: number) {
    this.tree = new Float64Array(length + 2);
  }

  load(values: Float64Array): void {
    this.tree.fill(0);
    let before = 0;
    values.forEach((value, i) => {
      this.bump(i, value - before);
      before = value;
    });
  }

  at(position: number): number {
    let sum = 0;
    for (let i = position + 1; i > 0; i -= i & -i) sum += this.tree[i]!;
    return sum;
  }

  addTo(from: number, to: number, delta: number): void {
    if (from > to) return;
    this.bump(from, delta);
    this.bump(to + 1, -delta);
  }

  private bump(position: number, delta: number): void {
    for (let i = position + 1; i < this.tree.length; i += i & -i) this.tree[i]! += delta;
  }
}
