/**
 * Recomputation: runs recorded kernels once more, with the same inputs and attributes, so that dropped data comes back. Kernels
 * have no side effects (batch-norm statistics are assigned outside kernels, random numbers are constants of the record), so the
 * result is the same to the bit.
 *
 * A dropped dataId that tensors still point to adopts the result. An intermediate whose tensors are all disposed gets a
 * *stand-in* tensor, which the replay owns and frees when the plan does or when the iteration ends. What the plan will read after
 * the program's last use of it is held by a stand-in from then on.
 */
import { VdnnError } from "../errors.ts";
import { type Block, type Entry, firstAlive } from "./block.ts";
import {
  type DType,
  type Engine,
  type EngineTensor,
  isTensor,
  type KernelResult,
  type NamedTensors,
  tensorsOf,
  type Values,
} from "./engine.ts";
import type { Meter } from "./meter.ts";
import { CONSTANT, type ConstantAttributes, type Op } from "./oplog.ts";
import type { Residency } from "./residency.ts";

export interface ReplayContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly meter: Meter;
  /** The kernel as TF.js runs it, without the session's own bookkeeping. */
  readonly runKernel: (
    name: string,
    inputs: NamedTensors,
    attributes: object | undefined,
    needBytes: number,
  ) => KernelResult;
  readonly makeTensor: (values: Values, shape: number[], dtype: DType | undefined) => EngineTensor;
}

export class Replay {
  readonly #context: ReplayContext;
  readonly #standIns = new Map<Entry, EngineTensor>();

  constructor(context: ReplayContext) {
    this.#context = context;
  }

  /** Brings a dropped block back. @throws VdnnError `ERR_DATA_DROPPED` when its recipe is gone */
  rebuild(block: Block): void {
    const entry = block.entries.find((each) => each.alive);
    const op = entry?.producer ?? null;
    if (op === null) {
      throw new VdnnError(
        "ERR_DATA_DROPPED",
        `a tensor of ${block.bytes} bytes was read after the iteration that could rebuild it; ` +
          "keep tensors that outlive their iteration with tf.keep, or clone them before the step ends",
        { bytes: block.bytes },
      );
    }
    const before = new Set(this.#standIns.keys());
    this.run(op);
    for (const [each, tensor] of this.#standIns) {
      if (before.has(each)) continue;
      this.#standIns.delete(each);
      tensor.dispose();
    }
  }

  /** Runs a recorded kernel again. Outputs that are still there are left alone. */
  run(op: Op): void {
    const { residency, meter } = this.#context;
    const start = meter.now();
    const { movingMs } = meter;
    residency.nest(() => this.#again(op));
    meter.recomputed(meter.now() - start - (meter.movingMs - movingMs));
    meter.computed(`recompute ${op.name}`, start);
  }

  #again(op: Op): void {
    const { engine, residency } = this.#context;
    const inputs = this.#inputs(op);
    residency.room.make(op.needBytes);
    // The tape must not see this.
    engine.state.kernelDepth++;
    let result: KernelResult;
    try {
      result =
        op.name === CONSTANT
          ? this.#constant(op)
          : this.#context.runKernel(op.name, inputs, op.attributes, op.needBytes);
    } finally {
      engine.state.kernelDepth--;
      for (const tensor of tensorsOf(inputs)) tensor.dispose();
    }
    const made = Array.isArray(result) ? result : [result];
    made.forEach((tensor, i) => this.#settle(tensor, op.writes[i]));
  }

  /** The block that now holds an entry's data: its own, or its stand-in's. */
  blockOf(entry: Entry): Block {
    const standIn = this.#standIns.get(entry);
    return (
      (standIn === undefined ? undefined : this.#context.residency.ledger.entry(standIn.dataId)?.block) ?? entry.block
    );
  }

  /** Keeps what is in a block beyond its last tensor of the program. */
  hold(block: Block): void {
    const { engine } = this.#context;
    const entry = firstAlive(block);
    if (entry === undefined || this.#standIns.has(entry)) return;
    const { dataId, shape, dtype } = entry;
    // Wherever the data is: the engine's own count is asked of whoever holds it.
    engine.state.tensorInfo.get(dataId)?.backend.incRef(dataId);
    const tensor = engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    tensor.kept = true;
    this.#standIns.set(entry, tensor);
  }

  /** A stand-in lives in the block, and nothing of the program. */
  owns(block: Block): boolean {
    const { ledger } = this.#context.residency;
    return [...this.#standIns].some(([entry, { dataId }]) => !entry.alive && ledger.entry(dataId)?.block === block);
  }

  /** Lets go of the stand-ins that live in a block. True when that was the end of it. */
  release(block: Block): boolean {
    let found = false;
    for (const [entry, tensor] of this.#standIns) {
      if (this.#context.residency.ledger.entry(tensor.dataId)?.block !== block) continue;
      this.#standIns.delete(entry);
      tensor.dispose();
      found = true;
    }
    return found && firstAlive(block) === undefined;
  }

  /** Lets go of every stand-in. */
  clear(): void {
    for (const tensor of this.#standIns.values()) tensor.dispose();
    this.#standIns.clear();
  }

  #constant(op: Op): EngineTensor {
    const [entry] = op.writes;
    const { values } = op.attributes as ConstantAttributes;
    return this.#context.makeTensor(values, entry?.shape ?? [], entry?.dtype);
  }

  #settle(tensor: EngineTensor, entry: Entry | undefined): void {
    const { engine, residency } = this.#context;
    if (entry?.alive === true && entry.block.residency === "dropped") {
      residency.transfers.restoreFrom(entry.block, tensor.dataId);
      tensor.dispose();
    } else if (entry === undefined || entry.alive || this.#standIns.has(entry)) {
      tensor.dispose();
    } else {
      this.#standIns.set(entry, engine.keep(tensor));
    }
  }

  /** Tensors for the kernel's inputs, on the device; rebuilt first where they are gone. */
  #inputs(op: Op): NamedTensors {
    let position = 0;
    const recreate = (original: EngineTensor): EngineTensor => {
      const entry = op.reads[position++];
      if (entry === undefined) throw new Error(`the record of ${op.name} lacks an input`);
      return this.#present(entry, original);
    };
    const { inputs } = op;
    if (Array.isArray(inputs)) return (inputs as EngineTensor[]).map(recreate) as unknown as NamedTensors;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, isTensor(tensor) ? recreate(tensor) : tensor]),
    );
  }

  #present(entry: Entry, original: EngineTensor): EngineTensor {
    const { engine, residency } = this.#context;
    let { dataId } = entry;
    if (entry.alive) {
      residency.ensure(entry.block, true);
      residency.clock.touch(entry.block);
    } else {
      if (!this.#standIns.has(entry)) {
        const { producer } = entry;
        if (producer === null) {
          throw new VdnnError(
            "ERR_DATA_DROPPED",
            "an input of a recorded kernel is gone and was not made in this iteration",
          );
        }
        this.run(producer);
      }
      dataId = this.#standIns.get(entry)?.dataId ?? dataId;
      const block = residency.ledger.entry(dataId)?.block;
      if (block !== undefined) {
        residency.ensure(block, true);
        residency.clock.touch(block);
      }
    }
    residency.adapter.backend.incRef(dataId);
    return engine.makeTensorFromTensorInfo({ dataId, shape: original.shape, dtype: original.dtype });
  }
}
