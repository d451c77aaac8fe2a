/**
 * Waits, on behalf of a driver that can, until kernels that cannot may have their data at once: copies that are on their way have
 * arrived, and what lies on the spill tier is back in host memory.
 */
import { hasCode } from "../errors.ts";
import type { Block } from "./block.ts";
import type { Residency } from "./residency.ts";
import type { Transfers } from "./transfers.ts";

/** The part of a residency table that is asked here. */
export interface ArrivalTable extends Pick<Residency, "ensure"> {
  readonly transfers: Pick<Transfers, "arrival" | "isArriving">;
}

export class Arrivals {
  readonly #residency: ArrivalTable;

  constructor(residency: ArrivalTable) {
    this.#residency = residency;
  }

  /**
   * Resolves when all of them are there. Where host memory is too small for them at once, they go on to the device.
   *
   * @param blocks asked again after each wait, as other code may have sent them away meanwhile
   * @throws VdnnError `ERR_HOST_MEMORY` when neither has room; whatever a copy failed with
   */
  async need(blocks: () => Iterable<Block>): Promise<void> {
    for (;;) {
      const errors = await this.#errors(blocks());
      if (errors === null) return;
      for (const error of errors) if (!isFull(error)) throw error;
      if (errors.length > 0 && !this.#bringIn(blocks())) throw errors[0];
    }
  }

  /** The same for those that it would be good to have. What finds no room comes when it is needed. */
  async want(blocks: () => Iterable<Block>): Promise<void> {
    for (;;) {
      const errors = await this.#errors(blocks());
      if (errors === null) return;
      for (const error of errors) if (!isFull(error)) throw error;
      if (errors.length > 0) return;
    }
  }

  /** Waits once for all that are not there. Null when there is nothing to wait for. */
  async #errors(blocks: Iterable<Block>): Promise<unknown[] | null> {
    const arrivals = [...blocks].flatMap((block) => this.#residency.transfers.arrival(block) ?? []);
    if (arrivals.length === 0) return null;
    const results = await Promise.allSettled(arrivals);
    return results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  }

  /** Copies what has come to host memory on to the device. False when there is nothing, or no room there either. */
  #bringIn(blocks: Iterable<Block>): boolean {
    const { transfers } = this.#residency;
    let found = false;
    for (const block of blocks) {
      if (block.residency !== "away" || transfers.isArriving(block)) continue;
      try {
        this.#residency.ensure(block, true);
      } catch (error) {
        if (hasCode(error, "ERR_OUT_OF_MEMORY") || isFull(error)) return found;
        throw error;
      }
      found = true;
    }
    return found;
  }
}

function isFull(error: unknown): boolean {
  return hasCode(error, "ERR_HOST_MEMORY");
}
