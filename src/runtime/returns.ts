/**
 * What may leave a device that cannot block, because it comes back when it is asked for. In a stretch of code that cannot wait there
 * are three ways back: a copy that has arrived; not being asked for, where a plan says so; running recorded kernels again. The last two
 * exclude each other: kernels that run again begin with data that no kernel of the iteration has made (inputs, weights), its
 * *roots*, and those have to be there. So while something is on its way that only kernels can bring back, roots stay, and while a root
 * is on its way, nothing leaves that relies on kernels.
 *
 * In a forward pass roots stay in any case, or leave when the driver waits next: the program may leave its plan at any kernel, and then
 * what the plan has sent away must be had without waiting.
 */
import type { Pass } from "../graph/graph.ts";
import type { Block } from "./block.ts";
import type { Follower } from "./follower.ts";
import type { Transfers } from "./transfers.ts";

/** Kernels whose inputs an awaiting driver has there before it goes on: as many as the gradient of one op runs, and more. */
export const LOOK_AHEAD = 24;

/** The part of an iteration that is asked here. */
export interface Progress {
  readonly follower: Follower | null;
  readonly isOpen: boolean;
  readonly pass: Pass | null;
}

export class Returns {
  readonly #iteration: Progress;
  readonly #transfers: Pick<Transfers, "hasCopy">;
  /** What has left, and was on its way when this was asked last: what only kernels can bring back, and roots. */
  readonly #made = new Set<Block>();
  readonly #roots = new Set<Block>();

  constructor(iteration: Progress, transfers: Pick<Transfers, "hasCopy">) {
    this.#iteration = iteration;
    this.#transfers = transfers;
  }

  /** The block would be back when it is asked for. */
  isSure(block: Block): boolean {
    if (this.#transfers.hasCopy(block)) return true;
    return this.canRunAgain(block)
      ? !this.#isAnyComing(this.#roots) || this.#isUnused(block)
      : !this.keepsRoots && this.#isUnused(block);
  }

  /** A root that leaves now has to wait for its copy. */
  get keepsRoots(): boolean {
    return this.#iteration.pass === "forward" || this.#isAnyComing(this.#made);
  }

  /** Recorded kernels can make it again, as long as their roots are there. An update replaces the weights that they read. */
  canRunAgain({ entries }: Block): boolean {
    const { isOpen, pass } = this.#iteration;
    return (
      isOpen && pass !== "update" && entries.some(({ alive, producer }) => alive && producer?.isRebuildable === true)
    );
  }

  /** The block has left. */
  left(block: Block): void {
    if (this.#transfers.hasCopy(block)) return;
    (this.canRunAgain(block) ? this.#made : this.#roots).add(block);
  }

  /** Nothing of it can be asked for any more. */
  clear(): void {
    this.#made.clear();
    this.#roots.clear();
  }

  #isAnyComing(blocks: Set<Block>): boolean {
    for (const block of blocks) {
      if (block.residency === "away" && !this.#transfers.hasCopy(block)) return true;
      blocks.delete(block);
    }
    return false;
  }

  /** The plan does not use it again before the driver can wait for it. */
  #isUnused({ index }: Block): boolean {
    const { follower, pass } = this.#iteration;
    return pass !== null && index >= 0 && follower !== null && !follower.isUsedSoon(index, LOOK_AHEAD);
  }
}
