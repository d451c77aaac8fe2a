/**
 * What leaves a device that cannot block, and when, so that it comes back when it is asked for. In a stretch of code that cannot wait
 * there are three ways back: a copy that has arrived; not being asked for, where a plan says so; running recorded kernels again. The
 * last two exclude each other: kernels that run again begin with data that no kernel of the iteration has made (inputs, weights), its
 * *roots*, and those have to be there. So while something is on its way that only kernels can bring back, roots stay, and while a root
 * is on its way, nothing leaves that relies on kernels.
 *
 * In a forward pass roots stay in any case, or leave when the driver waits next: the program may leave its plan at any kernel, and then
 * what the plan has sent away must be had without waiting. Where room is needed they leave nevertheless, as the plan wants it.
 */
import type { Pass } from "../graph/graph.ts";
import type { Block } from "./block.ts";
import type { Follower } from "./follower.ts";
import type { KernelClock } from "./kernel-clock.ts";
import type { Transfers } from "./transfers.ts";

/** Kernels whose inputs an awaiting driver has there before it goes on: as many as the gradient of one op runs, and more. */
export const LOOK_AHEAD = 24;

/** The part of an iteration that is asked here. */
export interface Progress {
  readonly follower: Follower | null;
  readonly isOpen: boolean;
  readonly pass: Pass | null;
}

export class Departures {
  readonly #iteration: Progress;
  readonly #transfers: Transfers;
  readonly #clock: KernelClock;
  /** What has left, and was on its way when this was asked last: what only kernels can bring back, and roots. */
  readonly #made = new Set<Block>();
  readonly #roots = new Set<Block>();
  /** Roots that the plan has sent away. Their copies are on the way; they leave after that. */
  readonly #waiting = new Set<Block>();

  constructor(iteration: Progress, transfers: Transfers, clock: KernelClock) {
    this.#iteration = iteration;
    this.#transfers = transfers;
    this.#clock = clock;
  }

  /** The block would be back when it is asked for. */
  isSure(block: Block): boolean {
    if (this.#transfers.hasCopy(block)) return true;
    return this.canRunAgain(block)
      ? !this.#isAnyComing(this.#roots) || this.#isUnused(block)
      : !this.#keepsRoots && this.#isUnused(block);
  }

  /** Recorded kernels can make it again, as long as their roots are there. An update replaces the weights that they read. */
  canRunAgain({ entries }: Block): boolean {
    const { isOpen, pass } = this.#iteration;
    return (
      isOpen && pass !== "update" && entries.some(({ alive, producer }) => alive && producer?.isRebuildable === true)
    );
  }

  /** The plan sends the block away: at once, or when its copy has arrived. */
  send(block: Block, nextUse: number): void {
    if (this.#keepsRoots && !this.#transfers.hasCopy(block) && !this.canRunAgain(block)) {
      if (this.#transfers.copy(block, nextUse)) this.#waiting.add(block);
      return;
    }
    this.left(block);
    this.#transfers.offload(block, nextUse);
  }

  /** The block leaves. */
  left(block: Block): void {
    if (!this.#transfers.hasCopy(block)) (this.canRunAgain(block) ? this.#made : this.#roots).add(block);
  }

  /** The plan wants the block back. If it has not left yet, it has no reason to any more. */
  recall(block: Block): void {
    this.#waiting.delete(block);
  }

  /** One of those that wait to leave, or null: room is needed now. */
  takeWaiting(): Block | null {
    for (const block of this.#waiting) {
      if (block.residency !== "device" || block.parcel === null) this.#waiting.delete(block);
      else if (!this.#clock.isInUse(block) && !this.#isUsedSoon(block)) {
        this.#waiting.delete(block);
        return block;
      }
    }
    return null;
  }

  /** The driver has waited: those whose copies have arrived leave. */
  waited(): void {
    for (const block of this.#waiting) {
      if (!this.#transfers.hasCopy(block)) continue;
      this.#waiting.delete(block);
      this.#transfers.drop(block);
    }
  }

  /** The iteration has ended. */
  clear(): void {
    this.#made.clear();
    this.#roots.clear();
    this.#waiting.clear();
  }

  get #keepsRoots(): boolean {
    return this.#iteration.pass === "forward" || this.#isAnyComing(this.#made);
  }

  #isAnyComing(blocks: Set<Block>): boolean {
    for (const block of blocks) {
      if (block.residency === "away" && !this.#transfers.hasCopy(block)) return true;
      blocks.delete(block);
    }
    return false;
  }

  #isUsedSoon({ index }: Block): boolean {
    return index >= 0 && this.#iteration.follower?.isUsedSoon(index, LOOK_AHEAD) === true;
  }

  /** The plan does not use it again before the driver can wait for it. */
  #isUnused(block: Block): boolean {
    const { follower, pass } = this.#iteration;
    return pass !== null && follower !== null && block.index >= 0 && !this.#isUsedSoon(block);
  }
}
