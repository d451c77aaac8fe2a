/**
 * The compute lane of a device behind a queue. There the time of a kernel call is the time of writing it down; what the device does
 * is told by the ends of the batches in which kernels are handed to it:
 *
 *     thread   kernels 1-15  kernels 16-30 │ waits …
 *     device        ├── batch 1 ──┼── batch 2 ──┤
 *
 * A batch begins when it was handed over and what was before it in the queue has ended. The ends are heard when the thread is free to
 * hear them: what ends inside a synchronous stretch seems to end with it.
 */
import type { AsynchronousDevice } from "../backends/adapter.ts";
import type { LaneEvent } from "../report/result.ts";

/** Kernels by their first one's place in the step. */
export interface Batch {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly iteration: number;
  readonly layer: LaneEvent["layer"] | undefined;
  readonly pass: LaneEvent["pass"] | undefined;
}

export interface DeviceLaneOptions {
  readonly device: Pick<AsynchronousDevice, "watch">;
  /** Clock in ms. */
  readonly now: () => number;
  /** Takes what the device has computed, in order. */
  readonly computed: (batch: Batch) => void;
}

export class DeviceLane {
  readonly #options: DeviceLaneOptions;
  readonly #unwatch: () => void;
  /** Kernels that are written down and not handed over. */
  #kernels: Batch[] = [];
  #endedMs = 0;

  constructor(options: DeviceLaneOptions) {
    this.#options = options;
    this.#unwatch = options.device.watch((ended) => this.#submitted(ended));
  }

  /** A kernel was written down. */
  add(kernel: Batch): void {
    this.#kernels.push(kernel);
  }

  close(): void {
    this.#unwatch();
  }

  #submitted(ended: Promise<void>): void {
    const { computed, now } = this.#options;
    const kernels = this.#kernels;
    this.#kernels = [];
    const submittedMs = now();
    void ended.then(() => {
      const startMs = Math.max(submittedMs, this.#endedMs);
      this.#endedMs = now();
      const [first] = kernels;
      // None where only a copy was handed over.
      if (first !== undefined)
        computed({ ...first, name: nameOf(kernels), startMs, durationMs: this.#endedMs - startMs });
    });
  }
}

function nameOf(kernels: readonly Batch[]): string {
  const first = kernels[0]?.name ?? "";
  return kernels.length === 1 ? first : `${first} to ${kernels.at(-1)?.name ?? ""}, ${kernels.length} kernels`;
}
