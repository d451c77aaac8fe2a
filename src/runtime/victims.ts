/**
 * What leaves the device when room is needed and no plan has foreseen it. While a plan is followed: the tensor whose next use
 * is farthest (Belady). Otherwise: the one touched longest ago, which in a backward pass is also the one needed last.
 */
import { hasCode } from "../errors.ts";
import type { Block } from "./block.ts";
import { isMovable } from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { Residency } from "./residency.ts";

export interface VictimsDeps {
  readonly residency: Residency;
  readonly iteration: Iteration;
  /** Weights of the running iteration stay: the gradients and the update need them all. */
  readonly isWeight: (block: Block) => boolean;
  /** Synchronous code can wait for a copy of device memory. */
  readonly deviceBlocks: boolean;
  /** It can wait for host memory to get room. */
  readonly hostBlocks: boolean;
}

export class Victims {
  readonly #residency: Residency;
  readonly #iteration: Iteration;
  readonly #isWeight: (block: Block) => boolean;
  readonly #deviceBlocks: boolean;
  readonly #hostBlocks: boolean;

  constructor({ residency, iteration, isWeight, deviceBlocks, hostBlocks }: VictimsDeps) {
    this.#residency = residency;
    this.#iteration = iteration;
    this.#isWeight = isWeight;
    this.#deviceBlocks = deviceBlocks;
    this.#hostBlocks = hostBlocks;
  }

  /**
   * The best block to offload, or null when nothing may leave. It leaves then. On a device that blocks everything comes back; elsewhere
   * what the plan has sent away already comes first, and last what may not be back in time: Note [Second attempt].
   */
  choose(): Block | null {
    if (this.#deviceBlocks) return this.#best(() => true);
    const { departures, follower } = this.#iteration;
    const planned = follower === null ? null : departures.takeWaiting();
    const block =
      planned ??
      this.#best((each) => departures.isSure(each)) ??
      departures.takeWaiting() ??
      this.#best((each) => departures.canRunAgain(each));
    if (block !== null) departures.left(block);
    return block;
  }

  #best(comesBack: (block: Block) => boolean): Block | null {
    const { clock } = this.#residency;
    let best: Block | null = null;
    let bestRank = Number.NEGATIVE_INFINITY;
    for (const block of this.#residency.blocks()) {
      if (clock.isInUse(block) || !this.#mayLeave(block) || !comesBack(block)) continue;
      // Variables leave last: every one of them will be needed again.
      const rank = this.nextUse(block) - (block.variables > 0 ? 1e12 : 0);
      if (rank > bestRank) {
        best = block;
        bestRank = rank;
      }
    }
    return best;
  }

  /** Position of a tensor's next use, larger = later. */
  nextUse(block: Block): number {
    const { follower } = this.#iteration;
    return follower !== null && block.index >= 0
      ? follower.nextUse(block.index)
      : (this.#residency.clock.now - block.lastTouch) / 1e6;
  }

  /**
   * Sends away what no kernel touched lately. For between two kernels, when nothing is in use.
   *
   * @param kernels how many kernels ago it was touched, at least
   * @param variables whether they leave as well
   */
  offloadIdle(kernels: number, variables: boolean): void {
    const { clock, transfers } = this.#residency;
    const { departures } = this.#iteration;
    for (const block of this.#residency.blocks()) {
      if (block.variables > 0 && !variables) continue;
      if (clock.now - block.lastTouch < kernels || !this.#mayLeave(block)) continue;
      if (!this.#deviceBlocks && !departures.isSure(block)) continue;
      try {
        departures.left(block);
        transfers.offload(block, -block.lastTouch);
      } catch (error) {
        // Host memory gets room at the next wait. Until then the tensor stays, and the device budget has the last word.
        if (this.#hostBlocks || !hasCode(error, "ERR_HOST_MEMORY")) throw error;
        return;
      }
    }
  }

  /** Everything but what the iteration makes, and what its plan knows as optimizer state, which only updates touch. */
  outlivesStep({ entries, index, variables }: Block): boolean {
    if (variables === 0) return entries.every(({ producer }) => producer === null);
    const tensors = this.#iteration.follower?.compiled.graph.tensors;
    return tensors?.[index]?.role !== "state";
  }

  #mayLeave(block: Block): boolean {
    return (
      block.residency === "device" &&
      block.bytes > 0 &&
      !this.#isWeight(block) &&
      block.entries.every((entry) => !entry.alive || isMovable(entry.dtype)) &&
      this.#residency.transfers.isMovable(block)
    );
  }
}
