/** A list of steps while it is being made: two numbers a step, as a search makes thousands of lists and shows one. */
import type { PlanStep } from "../plan.ts";

export const COMPUTE = 0;
export const FREE = 1;
export const OFFLOAD = 2;
export const OFFLOAD_KEEP = 3;
export const SPILL = 4;
export const SPILL_KEEP = 5;
export const PREFETCH = 6;
export const PROMOTE = 7;

export class StepList {
  // Invariant: as many kinds as args.
  readonly #kinds: number[] = [];
  readonly #args: number[] = [];

  clear(): void {
    this.#kinds.length = 0;
    this.#args.length = 0;
  }

  /** @param arg the kernel, for COMPUTE; otherwise the tensor */
  add(kind: number, arg: number): void {
    this.#kinds.push(kind);
    this.#args.push(arg);
  }

  steps(): PlanStep[] {
    return this.#kinds.map((kind, i): PlanStep => {
      const x = this.#args[i] as number;
      if (kind === COMPUTE) return { kind: "compute", kernel: x };
      if (kind === FREE) return { kind: "free", tensor: x };
      if (kind === PREFETCH) return { kind: "prefetch", tensor: x };
      if (kind === PROMOTE) return { kind: "prefetch", tensor: x, tier: "host" };
      const tier = kind === SPILL || kind === SPILL_KEEP ? "spill" : "host";
      if (kind === OFFLOAD || kind === SPILL) return { kind: "offload", tensor: x, tier };
      return { kind: "offload", tensor: x, tier, keep: true };
    });
  }
}
