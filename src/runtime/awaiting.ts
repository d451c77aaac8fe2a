/**
 * The awaiting driver, for devices behind a queue. The forward pass runs in one go, its offloads are only queued. Before each
 * node of the backward pass it waits for what the node needs, and for nothing else: copies that others need later go on while
 * the device computes.
 *
 *     device    fwd 1  fwd 2  fwd 3 │bwd 3  bwd 2  bwd 1
 *     out              copy 1 copy 2 │
 *     in                             │copy 2  copy 1
 *
 * Training calls take turns: the next begins when the last has updated its weights.
 */
import PQueue from "p-queue";
import type * as tfjs from "@tensorflow/tfjs";
import type { AsynchronousDevice } from "../backends/adapter.ts";
import type { Vault } from "../memory/vault.ts";
import { Arrivals } from "./arrivals.ts";
import { Attempt } from "./attempt.ts";
import type { BackwardStep } from "./backward.ts";
import type { Block } from "./block.ts";
import type { EngineTensor, TensorFlow } from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { Meter } from "./meter.ts";
import type { Residency } from "./residency.ts";
import type { Steps } from "./steps.ts";
import type { Gradients, TrainingCall } from "./training-call.ts";
import { checkGradients, disposeGradients, named, trainable } from "./variable-gradients.ts";

export interface AwaitingContext {
  readonly tf: TensorFlow;
  readonly device: AsynchronousDevice;
  readonly steps: Steps;
  readonly iteration: Iteration;
  readonly residency: Residency;
  readonly vault: Vault;
  readonly meter: Meter;
  /** Wait for each copy at the next node, needed there or not. */
  readonly awaitEachCopy: boolean;
  readonly warn: (warning: string) => void;
}

export interface VariableGradients {
  readonly value: tfjs.Scalar;
  readonly grads: tfjs.NamedTensorMap;
}

/** A step whose forward pass has run. */
export interface BegunStep {
  readonly loss: tfjs.Scalar;
  /** Runs the backward pass and the update. */
  readonly finish: () => Promise<void>;
}

type Loss = () => tfjs.Scalar;

export class AwaitingDriver {
  readonly #context: AwaitingContext;
  readonly #turns = new PQueue({ concurrency: 1 });
  readonly #arrivals: Arrivals;
  #copiesAwaited = 0;
  #isClosed = false;

  constructor(context: AwaitingContext) {
    this.#context = context;
    this.#arrivals = new Arrivals(context.residency);
  }

  /** Runs `work` when the training calls before it are done, with nothing on its way to the host. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.add(async () => {
      const { vault } = this.#context;
      vault.unclaim();
      await vault.arrivals();
      await vault.writeBehind();
      return work();
    });
  }

  /**
   * Runs `end` when the training calls before it are done and every copy has arrived. Those after it are stock TensorFlow.js, unless
   * it fails.
   */
  last(end: () => Promise<void>): Promise<void> {
    return this.#turns.add(async () => {
      await this.#context.vault.arrivals();
      await end();
      this.#isClosed = true;
    });
  }

  /** The session has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  variableGrads(f: Loss, varList?: tfjs.Variable[]): Promise<VariableGradients> {
    return this.turn(async () => {
      if (this.#isClosed) return this.#context.tf.variableGrads(f, varList);
      const variables = trainable(this.#context.tf, varList);
      const gradients = await this.#attempt(f, (drawing) => this.#gradients(drawing, variables));
      return { value: gradients.value as unknown as tfjs.Scalar, grads: named(variables, varList, gradients) };
    });
  }

  async #gradients(f: Loss, variables: readonly tfjs.Variable[]): Promise<Gradients> {
    const call = this.#begin(f, variables);
    try {
      return await this.#drive(call);
    } catch (error) {
      call.value?.dispose();
      throw error;
    }
  }

  minimize(
    optimizer: tfjs.Optimizer,
    f: Loss,
    returnCost = false,
    varList?: tfjs.Variable[],
  ): Promise<tfjs.Scalar | null> {
    return this.turn(async () => {
      if (this.#isClosed) return optimizer.minimize(f, returnCost, varList);
      const loss = await this.#attempt(f, (drawing) => this.#step(optimizer, drawing, varList));
      if (returnCost) return loss;
      loss.dispose();
      return null;
    });
  }

  async #step(optimizer: tfjs.Optimizer, f: Loss, varList: tfjs.Variable[] | undefined): Promise<tfjs.Scalar> {
    const step = this.begin(optimizer, f, varList);
    try {
      await step.finish();
    } catch (error) {
      step.loss.dispose();
      throw error;
    }
    return step.loss;
  }

  /** For one step. */
  attempt(): Attempt {
    return new Attempt({ ...this.#context, arrivals: this.#arrivals });
  }

  /** Runs a step, and once more where that helps: Note [Second attempt]. */
  async #attempt<T>(f: Loss, step: (f: Loss) => Promise<T>): Promise<T> {
    const attempt = this.attempt();
    const drawing = attempt.drawing(f);
    try {
      return await step(drawing);
    } catch (error) {
      await attempt.beginAgain(error);
    }
    return step(drawing);
  }

  /** Runs the forward pass of a step now. Only within a turn. */
  begin(optimizer: tfjs.Optimizer, f: Loss, varList?: tfjs.Variable[]): BegunStep {
    const { tf } = this.#context;
    const variables = trainable(tf, varList);
    const call = this.#begin(f, variables);
    const first = call.resume();
    return {
      loss: call.value as unknown as tfjs.Scalar,
      finish: async () => {
        const gradients = await this.#drive(call, first);
        await this.#update(optimizer, named(variables, varList, gradients), varList);
      },
    };
  }

  #begin(f: Loss, variables: readonly tfjs.Variable[]): TrainingCall {
    return this.#context.steps.begin({
      f,
      xs: variables as unknown as EngineTensor[],
      dy: null,
      allowNone: true,
    });
  }

  async #drive(call: TrainingCall, first?: IteratorResult<BackwardStep, Gradients>): Promise<Gradients> {
    let next = first ?? call.resume();
    while (next.done !== true) {
      const step = next.value;
      try {
        await this.#waiting(() => this.#ready(step));
      } catch (error) {
        call.abandon(error);
      }
      next = call.resume();
    }
    const { value } = next;
    try {
      // The update, and the program in between, cannot wait for what is still on its way.
      await this.#waiting(() => this.#settled());
    } catch (error) {
      this.#context.steps.abort();
      disposeGradients(this.#context.tf, value);
      throw error;
    }
    checkGradients(this.#context.tf, value);
    return value;
  }

  /** While it waits, other code may run; what that does is counted, and belongs to no iteration. */
  async #waiting(work: () => Promise<void>): Promise<void> {
    const { iteration, meter } = this.#context;
    iteration.isSuspended = true;
    iteration.countsForeign = true;
    const start = meter.now();
    try {
      await work();
    } finally {
      iteration.isSuspended = false;
      iteration.countsForeign = false;
      iteration.busyMs += meter.now() - start;
      meter.waited(start);
    }
  }

  /** What the next kernels need has arrived, or nobody knows of it. */
  async #ready(step: BackwardStep): Promise<void> {
    const { device, iteration, vault, awaitEachCopy } = this.#context;
    if (awaitEachCopy) await this.#eachCopy();
    vault.unclaim();
    if (iteration.isUnforeseen) await vault.arrivals();
    await this.#arrivals.want(() => iteration.awaited());
    await this.#arrivals.need(() => this.#needed(step));
    iteration.bringLate();
    await device.confirm();
    iteration.departures.waited();
  }

  *#needed(step: BackwardStep): Generator<Block, void> {
    const { ledger } = this.#context.residency;
    for (const { dataId } of step.needs()) {
      const block = ledger.entry(dataId)?.block;
      if (block !== undefined) yield block;
    }
  }

  /** The baseline that overlap is measured against: every copy has ended before anything else is computed. */
  async #eachCopy(): Promise<void> {
    const { device, meter, vault } = this.#context;
    if (meter.copies === this.#copiesAwaited) return;
    await vault.arrivals();
    await device.finish();
    this.#copiesAwaited = meter.copies;
  }

  async #settled(): Promise<void> {
    const { device, iteration, residency, vault, awaitEachCopy } = this.#context;
    const { follower } = iteration;
    vault.unclaim();
    // Until a plan has shown that the update fits, anything may have to leave in it.
    const isOpenEnded = follower?.compiled.isProven !== true && this.#isTight;
    if (isOpenEnded) residency.copyOut();
    if (follower === null || isOpenEnded || awaitEachCopy) await vault.arrivals();
    else await this.#arrivals.need(() => follower.readsOfNext(Number.POSITIVE_INFINITY));
    // Gradients, and whatever else outlives the passes: the program may use it when this resolves.
    if (!vault.canBlock) await this.#arrivals.need(() => residency.blocks());
    iteration.bringLate();
    await device.confirm();
    iteration.departures.waited();
  }

  /** The update makes as much again as there is now, old values included, or twice that where it makes optimizer state. */
  get #isTight(): boolean {
    const { ledger, room } = this.#context.residency;
    return 3 * ledger.usedBytes > room.limitBytes;
  }

  async #update(optimizer: tfjs.Optimizer, grads: tfjs.NamedTensorMap, varList?: tfjs.Variable[]): Promise<void> {
    const { device, steps, meter, tf, vault } = this.#context;
    // As `optimizer.minimize` hands them on.
    const list = varList?.map(({ name }) => ({ name, tensor: grads[name] as tfjs.Tensor }));
    try {
      await steps.updateConfirmed(
        () => optimizer.applyGradients(list ?? grads),
        async () => {
          await device.confirm();
          // Who looks at a step wants to see its end.
          if (meter.tracer !== null) await device.finish();
        },
      );
      // What comes next may be synchronous: an evaluation, or the program's own use of weights. The next step would wait here as well.
      await vault.arrivals();
    } finally {
      tf.dispose(grads);
    }
  }
}
