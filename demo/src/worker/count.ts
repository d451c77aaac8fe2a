/** The sum of what is allocated, its peak, and the cap: what every meter shares. */
import type { AllocationMeter, Refusal, RefusalManner } from "./meter.ts";

export class AllocationCount implements AllocationMeter {
  readonly about: string;
  #allocatedBytes = 0;
  #peakBytes = 0;
  #limitBytes = Number.POSITIVE_INFINITY;
  #manner: RefusalManner = "throw";
  #refusal: Refusal | null = null;

  constructor(about: string) {
    this.about = about;
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  get refusal(): Refusal | null {
    return this.#refusal;
  }

  get manner(): RefusalManner {
    return this.#manner;
  }

  /** What was allocated before is no part of the peak. */
  cap(limitBytes: number, manner: RefusalManner): void {
    this.#peakBytes = this.#allocatedBytes;
    this.#limitBytes = limitBytes;
    this.#manner = manner;
  }

  exceeds(bytes: number): boolean {
    return this.#allocatedBytes + bytes > this.#limitBytes;
  }

  /** Notes that so many bytes were refused. Returns what a message says of it. */
  refuse(neededBytes: number, error: string): Refusal {
    const refusal = { neededBytes, allocatedBytes: this.#allocatedBytes, error };
    this.#refusal ??= refusal;
    return refusal;
  }

  add(bytes: number): void {
    this.#allocatedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
  }

  subtract(bytes: number): void {
    this.#allocatedBytes -= bytes;
  }
}
