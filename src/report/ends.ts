/** The first and the newest of a sequence that may never end, in bounded memory. What lies between them is only counted. */
export class Ends<T> {
  readonly #mostFirst: number;
  readonly #mostNewest: number;
  readonly #first: T[] = [];
  /** A ring once it is full. */
  readonly #newest: T[] = [];
  #oldest = 0;
  #omitted = 0;

  /** @param mostFirst how many of the first are kept @param mostNewest of the newest, at least 1 */
  constructor(mostFirst: number, mostNewest: number) {
    this.#mostFirst = mostFirst;
    this.#mostNewest = mostNewest;
  }

  /** How many are left out between the first and the newest. */
  get omitted(): number {
    return this.#omitted;
  }

  /** What is kept, in the order in which it came. A copy. */
  get items(): T[] {
    return [...this.#first, ...this.#newest.slice(this.#oldest), ...this.#newest.slice(0, this.#oldest)];
  }

  add(item: T): void {
    if (this.#first.length < this.#mostFirst) this.#first.push(item);
    else if (this.#newest.length < this.#mostNewest) this.#newest.push(item);
    else {
      this.#newest[this.#oldest] = item;
      this.#oldest = (this.#oldest + 1) % this.#mostNewest;
      this.#omitted++;
    }
  }
}
