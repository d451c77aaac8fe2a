/**
 * The front of the machine: activations are read in lines of one per processing element, and per cycle the next one that is
 * not skipped goes to the queues of all elements at once. All queues hold windows of the same sequence, so it is kept once, and
 * an element's queue is what it has yet to read of it.
 */
import type { EieLayer } from "./layer.ts";

export interface Broadcasts {
  /** Column and activation of each, in order; the first `sent` are there. */
  readonly columns: Uint32Array;
  readonly activations: Float32Array;
  sent: number;
}

/** What becomes of an activation below 0. The authors' simulator skips it, as after ReLU none is left; see `EieOptions`. */
export type Negatives = "skip" | "broadcast";

/**
 * Invariant: every activation before `#position` was sent or skipped, the line register holds those from there to `#end`, and
 * `#next` is where the next line begins. At first the register is empty, so that the first line costs its cycle too.
 */
export class Broadcaster implements Broadcasts {
  readonly columns: Uint32Array;
  readonly activations: Float32Array;
  sent = 0;
  /** Cycles in which an activation waited for a full queue. */
  stalls = 0;
  /** Lines read, the bias's one included. */
  lines = 0;
  /** What was skipped although it is not 0. */
  skippedNegatives = 0;

  readonly #inputs: Float32Array;
  readonly #width: number;
  readonly #bias: boolean;
  readonly #negatives: Negatives;
  /** Bounds of the line in the register, and where the search goes on in it. */
  #position = 0;
  #end = 0;
  #next = 0;
  #isBiasDone: boolean;

  constructor({ bias, pes, inputs }: EieLayer, activations: Float32Array, negatives: Negatives) {
    this.#inputs = activations;
    this.#width = pes.length;
    this.#bias = bias;
    this.#negatives = negatives;
    this.#isBiasDone = !bias;
    this.columns = new Uint32Array(inputs + 1);
    this.activations = new Float32Array(inputs + 1);
  }

  /** Nothing is left to read or to send. */
  get isDone(): boolean {
    return this.#isBiasDone && this.#next >= this.#inputs.length && this.#find() === this.#end;
  }

  /** One clock cycle; `isFull`: some queue can take no more. */
  tick(isFull: boolean): void {
    const found = this.#find();
    if (found === this.#end) {
      this.#readLine();
    } else if (isFull) {
      this.stalls++;
    } else {
      this.#send(found);
      this.#position = found + 1;
      // The last place of a full line: the next line comes in the same cycle.
      if (found === this.#end - 1 && this.#end % this.#width === 0) this.#readLine();
    }
  }

  #find(): number {
    let at = this.#position;
    while (at < this.#end && !this.#isSent(at)) at++;
    return at;
  }

  #isSent(at: number): boolean {
    const value = at === this.#inputs.length ? 1 : (this.#inputs[at] as number);
    return this.#negatives === "skip" ? value > 0 : value !== 0;
  }

  #send(at: number): void {
    this.columns[this.sent] = at;
    this.activations[this.sent] = at === this.#inputs.length ? 1 : (this.#inputs[at] as number);
    this.sent++;
  }

  #readLine(): void {
    const { length } = this.#inputs;
    if (this.#next < length) {
      this.#position = this.#next;
      this.#end = Math.min(this.#next + this.#width, length);
      this.#next = this.#end;
      this.lines++;
      for (let at = this.#position; at < this.#end; at++) {
        if (this.#negatives === "skip" && (this.#inputs[at] as number) < 0) this.skippedNegatives++;
      }
    } else if (this.#bias && !this.#isBiasDone) {
      this.#position = length;
      this.#end = length + 1;
      this.#isBiasDone = true;
      this.lines++;
    }
  }
}
