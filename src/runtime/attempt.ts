/**
 * Note [Second attempt]. A step that leaves its plan on a device that cannot block may ask for what the plan has sent away, and
 * synchronous code cannot wait for it; or what the plan has arranged is too much for what runs instead. Such a step has changed
 * nothing when it fails (`journal.ts`). So it begins again, without a plan, when everything is on the host that it may ask for.
 *
 * The program's function runs twice then. It draws the same random numbers, finds the same variables and computes the same bits; what
 * else it does (counts steps, takes the next batch from an iterator) it does twice. Work of that kind belongs before the training call.
 */
import type { Vault } from "../memory/vault.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Iteration } from "./iteration.ts";
import type { Residency } from "./residency.ts";

export interface AttemptContext {
  readonly iteration: Iteration;
  readonly residency: Residency;
  readonly vault: Vault;
  readonly arrivals: Arrivals;
  /** Takes the warning that the program's function runs twice. */
  readonly warn: (warning: string) => void;
}

export class Attempt {
  readonly #context: AttemptContext;
  /** What the program's function has drawn from `Math.random`. TF.js draws its seeds there too. */
  readonly #drawn: number[] = [];
  #isSecond = false;

  constructor(context: AttemptContext) {
    this.#context = context;
  }

  /** The function, drawing the same random numbers each time it runs. */
  drawing<T>(f: () => T): () => T {
    return () => {
      const { random } = Math;
      let position = 0;
      const draw = (): number => (this.#drawn[position++] ??= random());
      Math.random = draw;
      try {
        return f();
      } finally {
        if (Math.random === draw) Math.random = random;
      }
    };
  }

  /** The step that has failed with `error` is undone, and may begin again. */
  isPossible(error: unknown): boolean {
    return !this.#isSecond && this.#context.iteration.mayBeginAgain(error);
  }

  /** Resolves when the step can begin again. Rejects with `error` when it cannot. */
  async beginAgain(error: unknown): Promise<void> {
    if (!this.isPossible(error)) throw error;
    this.#isSecond = true;
    const { arrivals, iteration, residency, vault, warn } = this.#context;
    warn(
      "a training step did what no plan had foreseen, and began again: its loss function ran twice, with the same random numbers " +
        `(${error instanceof Error ? error.message : String(error)})`,
    );
    iteration.doubt();
    vault.unclaim();
    await vault.arrivals();
    // What is on the host already can leave in code that cannot wait, and come back.
    if (Number.isFinite(residency.room.limitBytes)) residency.copyOut();
    await vault.arrivals();
    if (!vault.canBlock) await arrivals.want(() => residency.blocks());
  }
}
