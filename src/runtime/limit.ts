/**
 * What a session stays below: the budget, or less where the device has shown that it has less. After a refusal the limit is what was
 * granted. Other processes come and go, so after enough iterations without a refusal it rises by a step; a refusal then goes back
 * and doubles the wait.
 */

/** Iterations without a refusal before the first rise. Each one is recorded and planned anew. */
const FIRST_WAIT = 100;
const RISE = 1.25;
/** An iteration whose peak is below this share of the limit would gain nothing. */
const NEAR = 0.9;

export class Limit {
  readonly #budgetBytes: number;
  #bytes: number;
  /** Iterations since the last refusal or rise. */
  #calm = 0;
  #wait = FIRST_WAIT;
  #hasRisen = false;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
    this.#bytes = budgetBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The device has refused an allocation, and granted it with `usedBytes` in use. */
  refused(usedBytes: number): void {
    this.#bytes = Math.min(this.#bytes, usedBytes);
    this.#calm = 0;
    if (this.#hasRisen) this.#wait *= 2;
    this.#hasRisen = false;
  }

  /** An iteration with this peak has ended. True when the limit has risen: plans may use more. */
  iterationEnded(peakBytes: number): boolean {
    if (this.#bytes >= this.#budgetBytes || ++this.#calm < this.#wait || peakBytes < NEAR * this.#bytes) return false;
    this.#calm = 0;
    this.#hasRisen = true;
    this.#bytes = Math.min(this.#budgetBytes, Math.ceil(this.#bytes * RISE));
    return true;
  }
}
