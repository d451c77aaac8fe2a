/** How an iteration went other ways than its plan, and whether that explains that it failed. */
import { hasCode } from "../errors.ts";
import type { Pass } from "../graph/graph.ts";

export class Deviation {
  /** The pass in which it left its plan; null while it has not. */
  left: Pass | null = null;
  /** It asked for what cannot be had without waiting. */
  hasMissed = false;
  /** `update` where it failed inside its update; null between passes. */
  endedIn: Pass | null = null;

  begin(): void {
    this.left = null;
    this.hasMissed = false;
    this.endedIn = null;
  }

  /**
   * It failed with `error` as it did what no plan had foreseen, and everything that it changed was put back. Inside an update that is so
   * where it had left its plan before: what plans have shown to fit is not watched (`journal.ts`).
   */
  explains(error: unknown): boolean {
    // What the device itself refused, which is the cause then, it would refuse again.
    const hadNoRoom = hasCode(error, "ERR_OUT_OF_MEMORY") && error.cause === undefined;
    if (!this.hasMissed && !(this.left !== null && hadNoRoom)) return false;
    return this.endedIn !== "update" || (this.left !== null && this.left !== "update");
  }
}
