/**
 * Where training steps begin and end: the gradients that a program asks for open an iteration, the optimizer's update is its
 * last part, and what fails on the way is undone.
 */
import { VdnnError } from "../errors.ts";
import type { Block } from "./block.ts";
import type { DataId, Engine, EngineMethods } from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { Journal } from "./journal.ts";
import type { LayerTracker } from "./layers.ts";
import type { Meter } from "./meter.ts";
import type { Residency } from "./residency.ts";
import { type GradientRequest, type Gradients, TrainingCall } from "./training-call.ts";

export interface StepContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly iteration: Iteration;
  readonly layers: LayerTracker;
  readonly meter: Meter;
  /** Meter only: gradients run as in stock TF.js. */
  readonly passthrough: boolean;
  /** The policy lets data leave the device. */
  readonly mayOffload: boolean;
  /** Called when an iteration has ended; it is closed afterwards. */
  readonly finished: () => void;
}

export class Steps {
  readonly #context: StepContext;
  readonly #original: Pick<EngineMethods, "gradients">;
  readonly #journal: Journal;
  /** Weights of the running iteration. */
  #weights: ReadonlySet<DataId> = new Set();
  /** An update has run, and the device has not yet confirmed it. */
  #confirming = false;

  constructor(context: StepContext, journal: Journal, original: Pick<EngineMethods, "gradients">) {
    this.#context = context;
    this.#journal = journal;
    this.#original = original;
  }

  isWeight(block: Block): boolean {
    return block.variables > 0 && block.entries.some((entry) => entry.alive && this.#weights.has(entry.dataId));
  }

  /** The engine's `gradients`. Inside another one it is stock TF.js. */
  gradients(request: GradientRequest): Gradients {
    const { engine, iteration, passthrough } = this.#context;
    if (engine.state.gradientDepth > 0 || iteration.pass !== null) return this.#stock(request);
    this.#mayBlock();
    return passthrough ? this.#asStock(request) : this.begin(request).run();
  }

  /** Opens an iteration. Its passes run when the caller drives what is returned. */
  begin(request: GradientRequest): TrainingCall {
    const { engine, iteration, residency } = this.#context;
    if (engine.backend !== residency.adapter.backend) {
      throw new VdnnError(
        "ERR_BACKEND",
        `the backend was changed to "${engine.backendName}" while vdnn virtualizes "${residency.adapter.name}"; ` +
          "dispose the session before tf.setBackend, and virtualize again after it",
        { backend: engine.backendName },
      );
    }
    this.close();
    this.#weights = new Set(request.xs.map((x) => x.dataId));
    iteration.begin();
    return new TrainingCall(this.#context, request, () => this.abort());
  }

  /** Runs an optimizer's update as the last part of the open iteration. */
  update(apply: () => void): void {
    const { iteration, meter, passthrough, residency } = this.#context;
    if (!iteration.isOpen || iteration.pass !== null || iteration.isSuspended) return apply();
    const start = meter.now();
    if (!passthrough) iteration.pass = "update";
    meter.pass = "update";
    meter.mark();
    try {
      apply();
      iteration.endPass();
      if (!this.#confirming) this.#journal.commit();
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      iteration.pass = null;
      meter.pass = undefined;
    }
    iteration.busyMs += meter.now() - start;
    residency.clock.tick();
    if (!this.#confirming) this.close();
  }

  /** An update whose success the device tells later: until `confirmed` resolves it can be undone. */
  async updateConfirmed(apply: () => void, confirmed: () => Promise<void>): Promise<void> {
    const { iteration } = this.#context;
    this.#confirming = true;
    try {
      apply();
      // What other code trains meanwhile is no part of this step.
      iteration.isSuspended = true;
      await confirmed();
    } catch (error) {
      if (iteration.isOpen) this.abort();
      throw error;
    } finally {
      this.#confirming = false;
      iteration.isSuspended = false;
    }
    this.close();
  }

  /** Ends the open iteration, if there is one. */
  close(): void {
    const { iteration, finished } = this.#context;
    if (iteration.isSuspended || this.#confirming) return;
    try {
      if (iteration.isOpen) finished();
    } finally {
      // Also when a callback of the program threw.
      this.#journal.commit();
      this.#weights = new Set();
    }
  }

  /** The step failed: everything is as before it. */
  abort(): void {
    const { iteration } = this.#context;
    iteration.finish();
    iteration.log.clear();
    this.#weights = new Set();
    this.#journal.undo();
  }

  /** Stock TF.js, only timed. */
  #asStock(request: GradientRequest): Gradients {
    const { iteration, meter, residency } = this.#context;
    this.close();
    const start = meter.now();
    iteration.begin();
    meter.pass = "forward";
    try {
      return this.#stock(request);
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      meter.pass = undefined;
      iteration.busyMs += meter.now() - start;
      residency.clock.tick();
    }
  }

  #stock({ f, xs, dy, allowNone }: GradientRequest): Gradients {
    return this.#original.gradients(f, xs, dy, allowNone);
  }

  /** A training call that cannot wait is refused where it would have to, and while another one waits. */
  #mayBlock(): void {
    const { iteration, residency, mayOffload } = this.#context;
    const { asynchronous, name } = residency.adapter;
    if (asynchronous === undefined || !(mayOffload || iteration.isSuspended)) return;
    const why = iteration.isSuspended ? "while another training call waits" : "under a policy that offloads";
    throw new VdnnError(
      "ERR_BACKEND",
      `${name} cannot wait inside synchronous code, so gradients cannot be computed synchronously ${why}; use ` +
        "`await session.minimize(optimizer, f)` for optimizer.minimize and `await session.variableGrads(f)` for tf.variableGrads " +
        "(model.fit, fitDataset and trainOnBatch work as they are); under vdnn run the session is `activeSession(tf)`",
      { backend: name },
    );
  }
}
