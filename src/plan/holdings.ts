/** Who holds how many bytes of which tier, from when to when: collected while a plan is run in time. */
import type { TensorIndex } from "../graph/graph.ts";

/** Bytes of a tier, held from a time to another. A kernel's workspace has tensor -1. */
export interface Holding {
  readonly tier: "device" | "host" | "spill";
  readonly tensor: TensorIndex;
  readonly bytes: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Invariant: for each tier, a tensor has at most one open holding. */
export class Holdings {
  readonly #bytesOf: (t: TensorIndex) => number;
  readonly #open = {
    device: new Map<TensorIndex, number>(),
    host: new Map<TensorIndex, number>(),
    spill: new Map<TensorIndex, number>(),
  };
  readonly #closed: Holding[] = [];

  constructor(bytesOf: (t: TensorIndex) => number) {
    this.#bytesOf = bytesOf;
  }

  enter(tier: Holding["tier"], t: TensorIndex, ms: number): void {
    if (!this.#open[tier].has(t)) this.#open[tier].set(t, ms);
  }

  leave(tier: Holding["tier"], t: TensorIndex, ms: number): void {
    const fromMs = this.#open[tier].get(t);
    if (fromMs === undefined) return;
    this.#open[tier].delete(t);
    this.hold(tier, t, this.#bytesOf(t), fromMs, ms);
  }

  hold(tier: Holding["tier"], tensor: TensorIndex, bytes: number, fromMs: number, toMs: number): void {
    if (bytes > 0) this.#closed.push({ tier, tensor, bytes, fromMs, toMs });
  }

  close(ms: number): readonly Holding[] {
    for (const tier of ["device", "host", "spill"] as const) {
      for (const t of this.#open[tier].keys()) this.leave(tier, t, ms);
    }
    return this.#closed;
  }
}
