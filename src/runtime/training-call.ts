/**
 * One gradient computation: the forward pass, which is the program's own synchronous code, then the backward pass node by node.
 * It is written once, as a generator; `TrainingCall` runs it, in one go or in slices.
 *
 * Note [Slices]. A driver that awaits gives the thread away between two nodes, and whatever runs then is not part of the call.
 * So each slice ends by taking the call's traces off the engine (its scopes, the pass, the layer's name) and the next one puts
 * them back: a kernel that runs in between sees the engine as if no training were under way.
 *
 *     awaiting driver   forward, node 9 │ await copies │ node 8 │ await │ node 7 …
 *     other code                        │  runs here   │        │ here  │
 */
import { VdnnError } from "../errors.ts";
import type { Pass } from "../graph/graph.ts";
import { type BackwardStep, backwardPass, disposeSaved, driveBlocking, relevantNodes } from "./backward.ts";
import { elementCount, type Engine, type EngineTensor, isTensor, type Scope, type TapeNode } from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { LayerTracker } from "./layers.ts";
import type { Meter } from "./meter.ts";
import type { Residency } from "./residency.ts";

export interface CallContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly iteration: Iteration;
  readonly layers: LayerTracker;
  readonly meter: Meter;
}

export interface Gradients {
  readonly value: EngineTensor;
  readonly grads: (EngineTensor | null)[];
}

/** What to differentiate, as the engine's `gradients` takes it. */
export interface GradientRequest {
  readonly f: () => EngineTensor;
  readonly xs: EngineTensor[];
  readonly dy: EngineTensor | null;
  readonly allowNone: boolean;
}

type Passes = Generator<BackwardStep, Gradients>;

/** Invariant: between two slices the engine shows nothing of the call. */
export class TrainingCall {
  readonly #context: CallContext;
  readonly #passes: Passes;
  readonly #failed: () => void;
  readonly #position: Position = { follow: null, value: null };
  #pass: Pass | null = "forward";
  #scopes: Scope[] = [];
  #baseScopes = 0;
  #startMs = 0;

  /** @param failed undoes the step; called outside any slice */
  constructor(context: CallContext, request: GradientRequest, failed: () => void) {
    this.#context = context;
    this.#passes = bothPasses(context, request, this.#position);
    this.#failed = failed;
  }

  /** What `f` returned, once the forward pass has run. */
  get value(): EngineTensor | null {
    return this.#position.value;
  }

  /** Runs everything, in one slice. */
  run(): Gradients {
    return this.#slice(() => driveBlocking(this.#passes));
  }

  /** Runs to the next node of the backward pass, or to the end. */
  resume(): IteratorResult<BackwardStep, Gradients> {
    const next = this.#slice(() => this.#passes.next());
    this.#context.iteration.isSuspended = next.done !== true;
    return next;
  }

  /** Gives the call up: the step is undone. */
  abandon(error: unknown): never {
    this.#slice(() => this.#passes.throw(error));
    throw error;
  }

  #slice<T>(work: () => T): T {
    this.#enter();
    let error: unknown;
    try {
      return work();
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      this.#leave();
      if (error !== undefined) this.#failed();
    }
  }

  #enter(): void {
    const { engine, iteration, layers, meter } = this.#context;
    const { state } = engine;
    this.#baseScopes = state.scopeStack.length;
    if (this.#scopes.length > 0) {
      state.scopeStack.push(...this.#scopes);
      state.activeScope = this.#scopes.at(-1) ?? null;
    }
    this.#startMs = meter.now();
    iteration.pass = this.#pass;
    iteration.isSuspended = false;
    meter.pass = this.#pass ?? undefined;
    layers.follow(this.#position.follow);
    meter.mark();
  }

  #leave(): void {
    const { engine, iteration, layers, meter, residency } = this.#context;
    const { state } = engine;
    this.#pass = iteration.pass;
    this.#scopes = state.scopeStack.splice(this.#baseScopes);
    if (this.#scopes.length > 0) state.activeScope = state.scopeStack.at(-1) ?? null;
    iteration.pass = null;
    meter.pass = undefined;
    meter.layer = undefined;
    layers.follow(null);
    iteration.busyMs += meter.now() - this.#startMs;
    residency.clock.tick();
  }
}

/** How far the passes are. */
interface Position {
  /** Says which layer runs; null in the forward pass, where layers say it themselves. */
  follow: (() => string) | null;
  value: EngineTensor | null;
}

function* bothPasses(context: CallContext, request: GradientRequest, position: Position): Passes {
  const { engine, iteration, residency } = context;
  const { f, xs, dy } = request;
  if (xs.length === 0) throw new Error("gradients() received an empty list of xs.");
  if (dy !== null && dy.dtype !== "float32") throw new Error(`dy must have 'float32' dtype, but has '${dy.dtype}'`);
  const { y, tape } = forwardPass(engine, f);
  position.value = y;
  let gradients: Gradients;
  try {
    gradients = yield* backward(context, request, tape, y, position);
  } finally {
    tape.forEach(disposeSaved);
  }
  iteration.endPass();
  residency.rescueDropped();
  return gradients;
}

function forwardPass(engine: Engine, f: () => EngineTensor): { y: EngineTensor; tape: TapeNode[] } {
  engine.startTape();
  const tape = engine.state.activeTape ?? [];
  try {
    return { y: engine.tidy("forward", f), tape };
  } catch (error) {
    tape.forEach(disposeSaved);
    throw error;
  } finally {
    engine.endTape();
    engine.state.activeTape = null;
  }
}

function* backward(
  { engine, iteration, layers, meter }: CallContext,
  { xs, dy, allowNone }: GradientRequest,
  tape: TapeNode[],
  y: EngineTensor,
  position: Position,
): Passes {
  if (!isTensor(y)) throw notATensor(y);
  const nodes = relevantNodes(tape, xs, y);
  if (!allowNone && nodes.length === 0) {
    throw new Error(
      "Cannot compute gradient of y=f(x) with respect to x. Make sure that the f you passed encloses all operations " +
        "that lead from x to y.",
    );
  }
  iteration.pass = "backward";
  meter.pass = "backward";
  const used = new Set(nodes.map((node) => node.id));
  for (const node of tape) if (!used.has(node.id)) disposeSaved(node);
  let result: Gradients | undefined;
  engine.startScope("backward");
  try {
    const upstream = dy ?? ones(engine, y.shape);
    const pass = backwardPass(engine, nodes, xs, y, upstream);
    let current: TapeNode | null = null;
    position.follow = () => layerOf(current);
    layers.follow(position.follow);
    for (;;) {
      const next = pass.next();
      if (next.done === true) {
        result = { value: y, grads: next.value };
        return result;
      }
      current = next.value.node;
      yield next.value;
    }
  } finally {
    position.follow = null;
    layers.follow(null);
    engine.endScope(result);
  }
}

function layerOf(node: TapeNode | null): string {
  const layer = node?.layer ?? "";
  return typeof layer === "number" ? `${node?.kernelName ?? ""}_${layer}` : layer;
}

function ones(engine: Engine, shape: number[]): EngineTensor {
  return engine.makeTensor(new Float32Array(elementCount(shape)).fill(1), shape, "float32");
}

function notATensor(value: unknown): Error {
  return value instanceof Promise
    ? new VdnnError("ERR_INVALID_OPTION", "the function to differentiate returned a promise")
    : new Error("The result y returned by f() must be a tensor.");
}
