/**
 * What leaves the device when room is needed and no plan has foreseen it. While a plan is followed: the tensor whose next use
 * is farthest (Belady). Otherwise: the one touched longest ago, which in a backward pass is also the one needed last.
 */
import type { Block } from "./block.ts";
import { isMovable } from "./engine.ts";

export interface VictimContext {
  /** The running kernel uses it, or one that waits for that. */
  readonly isInUse: (block: Block) => boolean;
  /** Position of a tensor's next use, larger = later. */
  readonly nextUse: (block: Block) => number;
  /** Weights of the running iteration stay: the gradients and the update need them all. */
  readonly isWeight: (block: Block) => boolean;
  /** It will be back when its next user asks for it. On a device that blocks everything will. */
  readonly canReturn: (block: Block) => boolean;
}

/** The best block to offload, or null when nothing may leave. */
export function chooseVictim(blocks: Iterable<Block>, context: VictimContext): Block | null {
  let best: Block | null = null;
  let bestRank = Number.NEGATIVE_INFINITY;
  for (const block of blocks) {
    if (!mayLeave(block, context)) continue;
    // Variables leave last: every one of them will be needed again.
    const rank = context.nextUse(block) - (block.variables > 0 ? 1e12 : 0);
    if (rank > bestRank) {
      best = block;
      bestRank = rank;
    }
  }
  return best;
}

export function mayLeave(block: Block, { isInUse, isWeight, canReturn }: VictimContext): boolean {
  return (
    block.residency === "device" &&
    block.bytes > 0 &&
    !isInUse(block) &&
    !isWeight(block) &&
    block.entries.every((entry) => !entry.alive || isMovable(entry.dtype)) &&
    canReturn(block)
  );
}
