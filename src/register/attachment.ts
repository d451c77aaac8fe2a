/**
 * When the script's TensorFlow.js is virtualized, and for which backend.
 *
 *   backend that blocks       in the first training step: nothing is known before, and everything after it counts
 *   backend that is awaited   before `await tf.setBackend(…)` or `await tf.ready()` resolves, as a step could not wait for it
 *
 * When the script changes the backend the session of the old one ends, and the new one gets its own.
 *
 * Invariant: the engine's own `gradients` is the trampoline exactly when there is no session and none is being made.
 */
import { VdnnError } from "../errors.ts";
import type { Engine, EngineBackend, EngineMethods } from "../runtime/engine.ts";
import type { Session } from "../runtime/session.ts";
import { holdBackend, isInside } from "./held-backend.ts";

type Gradients = EngineMethods["gradients"];
type Switching = Pick<Engine, "setBackend" | "ready">;

/** How sessions are made. What these throw is the script's to see. */
export interface SessionMakers {
  /** A session on the backend that is set has to be awaited. */
  awaits(): boolean;
  /** The script can train by now. tfjs-core alone has no gradients: tfjs-layers brings them, and may be loaded later. */
  canTrain(): boolean;
  /** @param variables those that the script is about to train */
  attach(variables: readonly object[]): Session;
  attachLater(): Promise<Session>;
  /** The script set a backend that did not start. */
  notStarted(backend: string): void;
}

interface Attached {
  readonly session: Session;
  /** What it virtualizes. */
  readonly backend: EngineBackend;
  readonly isAwaited: boolean;
}

export class Attachment {
  readonly #engine: Engine;
  readonly #makers: SessionMakers;
  readonly #stock: Switching;
  #attached: Attached | null = null;
  /** Settles when a session that is awaited has begun or ended. */
  #changing: Promise<void> | null = null;

  constructor(engine: Engine, makers: SessionMakers) {
    this.#engine = engine;
    this.#makers = makers;
    this.#stock = { setBackend: engine.setBackend.bind(engine), ready: engine.ready.bind(engine) };
  }

  /** From now on the engine is watched. */
  install(): void {
    this.#own("setBackend", (name: string) => this.#setBackend(name));
    this.#own("ready", () => this.#ready());
    this.#setTrampoline();
  }

  /** Up to its first wait it does what TF.js does: a backend that starts at once is there when the call returns. */
  async #setBackend(name: string): Promise<boolean> {
    if (this.#changing !== null && !isInside()) await this.#changing.catch(() => undefined);
    const left = this.#leaves(name) ? this.#end() : undefined;
    const [isSet] = await Promise.all([this.#stock.setBackend(name), left]);
    if (isSet) await this.#begin();
    else this.#makers.notStarted(name);
    return isSet;
  }

  async #ready(): Promise<void> {
    await this.#stock.ready();
    if (!isInside()) await this.#begin();
  }

  /** There is a session, and it is not for the backend of this name. */
  #leaves(name: string): boolean {
    const { registry, registryFactory } = this.#engine;
    const { backend = null } = this.#attached ?? {};
    return backend !== null && Object.hasOwn(registryFactory, name) && registry[name] !== backend;
  }

  /** Sees to it that a backend that has to be awaited has its session. */
  async #begin(): Promise<void> {
    if (this.#changing !== null) return this.#changing;
    const engine = this.#engine;
    // Null where it did not start.
    if (this.#attached !== null || engine.backendInstance === null) return;
    if (!this.#makers.awaits() || !this.#makers.canTrain()) return;
    Reflect.deleteProperty(engine, "gradients");
    return this.#change(async () => {
      try {
        this.#began(await this.#makers.attachLater(), true);
      } catch (error) {
        this.#setTrampoline();
        throw error;
      }
    });
  }

  /** On a backend that blocks the session has ended when this returns, and only its threads are still awaited. */
  async #end(): Promise<void> {
    const attached = this.#attached as Attached;
    const { session, isAwaited } = attached;
    this.#attached = null;
    const ended = isAwaited ? this.#change(() => session.dispose()) : session.dispose();
    try {
      if (isAwaited) await ended;
      if (!Object.hasOwn(this.#engine, "gradients")) this.#setTrampoline();
      await ended;
    } catch (error) {
      // What it keeps elsewhere finds no room on the device: it goes on, and the script may try again.
      this.#attached = attached;
      throw error;
    }
  }

  /** While this is under way nobody else uses the backend. */
  #change(work: () => Promise<void>): Promise<void> {
    const changing = holdBackend(this.#engine, work).finally(() => {
      this.#changing = null;
    });
    this.#changing = changing;
    return changing;
  }

  #began(session: Session, isAwaited: boolean): void {
    this.#attached = { session, backend: this.#engine.backend, isAwaited };
  }

  #setTrampoline(): void {
    const engine = this.#engine;
    const trampoline: Gradients = (f, xs, dy, allowNoGradients) => {
      if (this.#makers.awaits()) throw notAwaited(engine);
      Reflect.deleteProperty(engine, "gradients");
      try {
        this.#began(this.#makers.attach(Array.isArray(xs) ? xs : []), false);
      } catch (error) {
        // A script that catches this and trains again must not train without vdnn unawares.
        this.#setTrampoline();
        throw error;
      }
      return engine.gradients(f, xs, dy, allowNoGradients);
    };
    this.#own("gradients", trampoline);
  }

  #own<K extends "gradients" | keyof Switching>(name: K, value: Engine[K]): void {
    Object.defineProperty(this.#engine, name, { configurable: true, enumerable: false, writable: true, value });
  }
}

/** A session could not be made when the script waited for the backend, or the script has not waited. */
function notAwaited({ backendName }: Engine): VdnnError {
  return new VdnnError(
    "ERR_BACKEND",
    `this script trains on ${backendName}, and vdnn is not attached to it; \`await tf.setBackend("${backendName}")\` or ` +
      "`await tf.ready()` when TensorFlow.js is loaded and before the first training step, and leave their errors uncaught",
    { backend: backendName },
  );
}
