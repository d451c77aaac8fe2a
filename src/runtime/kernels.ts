/**
 * Kernels as a session runs them: inputs are brought to the device and room is made for what comes, then the kernel is the
 * backend's own, and in an iteration it is recorded. Every kernel of the program passes here, so what is not needed is not done.
 */
import { VdnnError } from "../errors.ts";
import type { Entry } from "./block.ts";
import {
  type DataId,
  type DType,
  type EngineBackend,
  type EngineMethods,
  type EngineTensor,
  isTensor,
  type KernelResult,
  type NamedTensors,
  tensorBytes,
  type Values,
} from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { LayerTracker } from "./layers.ts";
import type { Meter } from "./meter.ts";
import { CONSTANT, type ConstantAttributes, Op, READ } from "./oplog.ts";
import type { Residency } from "./residency.ts";
import type { Tape } from "./tape.ts";

export interface KernelContext {
  readonly residency: Residency;
  readonly iteration: Iteration;
  readonly layers: LayerTracker;
  readonly meter: Meter;
  /** Kernel that equals Step on a relu's output on this backend, where it is cheaper. */
  readonly stepOfRelu: string | null;
  /** Called after every kernel of an iteration. */
  readonly afterKernel: () => void;
}

type Original = Pick<EngineMethods, "runKernel" | "makeTensor">;

export class Kernels {
  readonly #context: KernelContext;
  readonly #original: Original;
  readonly #tape: Tape;
  /** Nested kernel calls: kernels that are built from other kernels. */
  #depth = 0;
  /** Kernel that runs or ran last. */
  #kernelName = "";

  constructor(context: KernelContext, tape: Tape, original: Original) {
    this.#context = context;
    this.#tape = tape;
    this.#original = original;
  }

  /** Name of the layer that is running: of the model, or of the op where there is none. */
  get layer(): string {
    const { iteration, layers } = this.#context;
    return layers.current ?? `${this.#kernelName}_${iteration.log.ops.length}`;
  }

  /** Kernel that runs or ran last. */
  get name(): string {
    return this.#kernelName;
  }

  /** The engine's `runKernel`. */
  run(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    if (this.#depth > 0) return this.#call(name, inputs, attributes);
    const { iteration, residency, stepOfRelu } = this.#context;
    if (PASSING.has(name)) {
      const first = firstTensor(inputs);
      if (first !== null && residency.adapter.passesThrough(name, first, attributes)) {
        return this.#original.runKernel(name, inputs, attributes);
      }
    }
    if (stepOfRelu !== null && name === "Step" && this.#tape.isReluOutput(inputs["x"])) {
      return this.run(stepOfRelu, inputs, {});
    }
    residency.clock.tick();
    this.#present(inputs);
    if (iteration.pass !== null) return this.#recorded(name, inputs, attributes);
    if (iteration.countsForeign) iteration.foreignKernels++;
    this.#reserve(name, inputs, attributes, undefined);
    return this.#nested(name, inputs, attributes, undefined);
  }

  /** A kernel as TF.js runs it, for replays. */
  runOriginal(name: string, inputs: NamedTensors, attributes: object | undefined, needBytes: number): KernelResult {
    return this.#nested(name, inputs, attributes, needBytes);
  }

  /** The engine's `makeTensor`: a constant of the record, in an iteration. */
  makeTensor(values: Values, shape: number[], dtype: DType | undefined, backend?: EngineBackend): EngineTensor {
    if (this.#depth > 0) return this.#original.makeTensor(values, shape, dtype, backend);
    const { iteration, residency } = this.#context;
    const { clock, ledger, room } = residency;
    clock.tick();
    const bytes = tensorBytes(shape, dtype ?? "float32");
    if (ledger.usedBytes + bytes > room.limitBytes) room.make(bytes);
    if (iteration.pass === null) return this.#make(values, shape, dtype, backend, bytes);
    this.#kernelName = CONSTANT;
    const tensor = this.#make(values, shape, dtype, backend, bytes);
    const attributes: ConstantAttributes = { values };
    this.#ran(CONSTANT, {}, attributes, [], tensor, 0, bytes);
    return tensor;
  }

  /** A tensor from JavaScript values as TF.js makes it, for replays. */
  makeOriginal(values: Values, shape: number[], dtype: DType | undefined): EngineTensor {
    return this.#make(values, shape, dtype, undefined, tensorBytes(shape, dtype ?? "float32"));
  }

  /** The program reads a tensor in the middle of an iteration (`dataSync`): that is a use like any other. */
  noteRead(dataId: DataId): void {
    const { iteration, residency } = this.#context;
    const entry = residency.ledger.entry(dataId);
    if (iteration.pass === null || this.#depth > 0 || entry === undefined) return;
    iteration.ran(new Op(READ, {}, undefined, [entry], [], 0, 0));
  }

  /** Runs a kernel of an iteration, whose inputs are present. */
  #recorded(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    const { iteration, meter, residency } = this.#context;
    const { ledger, room } = residency;
    const reads = this.#entries(inputs);
    // Without a limit nobody asks.
    const plannedBytes = room.limitBytes === Number.POSITIVE_INFINITY ? undefined : iteration.plannedNeed(name, reads);
    this.#reserve(name, inputs, attributes, plannedBytes);
    const before = ledger.usedBytes;
    meter.openWindow(before);
    this.#kernelName = name;
    const { isTimed } = iteration;
    const start = meter.tracer === null ? 0 : meter.now();
    const result = this.#nested(name, inputs, attributes, plannedBytes);
    const ms = isTimed ? meter.sinceMark() : Number.NaN;
    if (meter.tracer !== null) {
      meter.layer = this.layer;
      meter.kernel(name, start, ledger.usedBytes);
    }
    this.#ran(name, inputs, attributes, reads, result, ms, meter.windowPeakBytes - before);
    if (iteration.isTimed) meter.mark();
    return result;
  }

  /** Makes room for what a kernel needs. */
  #reserve(name: string, inputs: NamedTensors, attributes: object | undefined, plannedBytes: number | undefined): void {
    const { ledger, room } = this.#context.residency;
    if (room.limitBytes === Number.POSITIVE_INFINITY) return;
    const needBytes = plannedBytes ?? this.#estimate(name, inputs, attributes);
    if (ledger.usedBytes + needBytes > room.limitBytes) room.make(needBytes);
  }

  /** Runs a kernel; what it calls in turn is part of it. */
  #nested(
    name: string,
    inputs: NamedTensors,
    attributes: object | undefined,
    plannedBytes: number | undefined,
  ): KernelResult {
    const { adapter, ledger, room } = this.#context.residency;
    const { nextBlock } = ledger;
    this.#depth++;
    try {
      return this.#call(name, inputs, attributes);
    } catch (error) {
      const refused = adapter.isOutOfMemory(error);
      if (refused || error instanceof VdnnError) room.discard(nextBlock);
      if (!refused) throw error;
      const needBytes = plannedBytes ?? (this.#estimate(name, inputs, attributes) || room.announcedBytes);
      return room.insist(needBytes, error, () => this.#call(name, inputs, attributes));
    } finally {
      this.#depth--;
    }
  }

  #estimate(name: string, inputs: NamedTensors, attributes: object | undefined): number {
    return this.#context.residency.adapter.estimateBytes(name, inputs, attributes);
  }

  #ran(
    name: string,
    inputs: NamedTensors,
    attributes: object | undefined,
    reads: readonly Entry[],
    result: KernelResult,
    ms: number,
    needBytes: number,
  ): void {
    const { iteration, residency } = this.#context;
    const { ledger } = residency;
    const writes = Array.isArray(result)
      ? result.flatMap(({ dataId }) => ledger.entry(dataId) ?? [])
      : oneOrNone(ledger.entry(result.dataId));
    iteration.ran(new Op(name, inputs, attributes, reads, writes, ms, needBytes));
    this.#context.afterKernel();
  }

  #call(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    if (SHARING.has(name)) {
      const { adapter, ledger } = this.#context.residency;
      const first = firstTensor(inputs);
      if (first !== null && adapter.sharesInput(name, first, attributes)) {
        const block = ledger.entry(first.dataId)?.block;
        return ledger.sharing(block, () => this.#original.runKernel(name, inputs, attributes));
      }
    }
    return this.#original.runKernel(name, inputs, attributes);
  }

  /** Brings a kernel's inputs to the device and marks them as in use. */
  #present(inputs: NamedTensors): void {
    const { residency } = this.#context;
    const { clock, ledger } = residency;
    let absent = false;
    for (const name in inputs) {
      const block = ledger.entryOf(inputs[name])?.block;
      if (block === undefined) continue;
      clock.touch(block);
      if (block.residency !== "device") absent = true;
    }
    if (absent) for (const { block } of this.#entries(inputs)) residency.ensure(block, false);
  }

  #entries(inputs: NamedTensors): Entry[] {
    const { ledger } = this.#context.residency;
    let count = 0;
    for (const name in inputs) if (ledger.entryOf(inputs[name]) !== undefined) count++;
    // One that grew by push would have room for 17, and the record keeps it.
    // oxlint-disable-next-line unicorn/no-new-array
    const entries = new Array<Entry>(count);
    let position = 0;
    for (const name in inputs) {
      const entry = ledger.entryOf(inputs[name]);
      if (entry !== undefined) entries[position++] = entry;
    }
    return entries;
  }

  #make(
    values: Values,
    shape: number[],
    dtype: DType | undefined,
    backend: EngineBackend | undefined,
    bytes: number,
  ): EngineTensor {
    const { room } = this.#context.residency;
    return room.attempt(bytes, () => this.#original.makeTensor(values, shape, dtype, backend));
  }
}

function oneOrNone<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function firstTensor(inputs: NamedTensors): EngineTensor | null {
  for (const name in inputs) {
    const tensor = inputs[name];
    if (isTensor(tensor)) return tensor;
  }
  return null;
}

/** Kernels that may share a buffer on some backend; looked at before asking the adapter. */
const SHARING: ReadonlySet<string> = new Set(["Reshape", "ExpandDims", "Cast"]);
/** Kernels that may hand their input's dataId on, likewise. */
const PASSING: ReadonlySet<string> = new Set([...SHARING, "Identity"]);
