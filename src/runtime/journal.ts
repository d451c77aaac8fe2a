/**
 * What variables hold, and what they held before the running iteration: a step that fails is undone from here. Old values stay
 * alive as tensors of their own, which may leave for the host meanwhile.
 */
import type { Block } from "./block.ts";
import {
  type Engine,
  type EngineBackend,
  type EngineMethods,
  type EngineTensor,
  type EngineVariable,
  isVariable,
} from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { Residency } from "./residency.ts";

export interface JournalContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly iteration: Iteration;
  /** The policy lets data leave the device. */
  readonly mayOffload: boolean;
}

interface Rollback {
  readonly variable: EngineVariable;
  /** What it held before the iteration. */
  readonly value: EngineTensor;
}

export class Journal {
  readonly #context: JournalContext;
  readonly #original: Pick<EngineMethods, "incRef" | "disposeTensor">;
  readonly #rollbacks = new Map<string, Rollback>();
  /** Held until now by the variable that is being assigned. */
  #replaced: Block | null = null;

  constructor(context: JournalContext, original: Pick<EngineMethods, "incRef" | "disposeTensor">) {
    this.#context = context;
    this.#original = original;
  }

  /** A variable takes a buffer: at its creation, and at every assign. */
  incRef(tensor: EngineTensor, backend: EngineBackend | null): void {
    const { iteration, residency } = this.#context;
    const entry = residency.ledger.entry(tensor.dataId) ?? residency.ledger.adopt(tensor.dataId);
    if (entry !== undefined) {
      entry.block.variables++;
      if (entry.block.residency === "dropped") residency.ensure(entry.block, false);
      if (this.#replaced !== null && iteration.pass !== null)
        iteration.log.replace(this.#replaced, entry.block, iteration.pass);
    }
    this.#replaced = null;
    this.#original.incRef(tensor, backend);
  }

  disposeTensor(tensor: EngineTensor): void {
    if (isVariable(tensor)) this.#letsGo(tensor);
    this.#original.disposeTensor(tensor);
  }

  /** Gives the variables back what they held before the iteration. */
  undo(): void {
    const rollbacks = [...this.#rollbacks.values()];
    this.#rollbacks.clear();
    for (const { variable, value } of rollbacks) {
      if (!variable.isDisposed) variable.assign(value);
      value.dispose();
    }
  }

  /** What was assigned since the iteration began is there to stay. */
  commit(): void {
    for (const { value } of this.#rollbacks.values()) value.dispose();
    this.#rollbacks.clear();
  }

  /** The block is kept for `undo`. */
  isOldValue(block: Block): boolean {
    const { ledger } = this.#context.residency;
    return [...this.#rollbacks.values()].some(({ value }) => ledger.entry(value.dataId)?.block === block);
  }

  /** A variable gives up its buffer: it is assigned or disposed. */
  #letsGo(variable: EngineVariable): void {
    const { engine, iteration, residency } = this.#context;
    const { dataId, shape, dtype } = variable;
    if (iteration.pass === null) this.#forget(variable.name);
    const block = residency.ledger.entry(dataId)?.block;
    if (block === undefined) return;
    block.variables = Math.max(0, block.variables - 1);
    this.#replaced = block;
    if (!this.#notes(variable)) return;
    residency.adapter.backend.incRef(dataId);
    const value = engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    value.kept = true;
    this.#rollbacks.set(variable.name, { variable, value });
  }

  /**
   * Statistics that a forward pass assigns (batch norm) are put back if the step fails, and so are weights and optimizer state
   * in an update that no plan has shown to fit.
   */
  #notes({ name, isDisposed }: EngineVariable): boolean {
    const { pass } = this.#context.iteration;
    if (pass === null || isDisposed || this.#rollbacks.has(name)) return false;
    return pass !== "update" || this.#notesUpdates();
  }

  /** An update can fail half-way until a plan has shown that it fits. Without any limit only its first run is watched. */
  #notesUpdates(): boolean {
    const { iteration, mayOffload, residency } = this.#context;
    if (!mayOffload) return false;
    const { follower } = iteration;
    return follower === null || (Number.isFinite(residency.room.limitBytes) && !follower.compiled.isProven);
  }

  /** The program itself gives the variable another value. */
  #forget(name: string): void {
    this.#rollbacks.get(name)?.value.dispose();
    this.#rollbacks.delete(name);
  }
}
