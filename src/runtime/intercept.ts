/**
 * The overrides on the TensorFlow.js engine. All training (`fit`, `fitDataset`, `trainOnBatch`, `optimizer.minimize`,
 * `variableGrads`, `tf.grads`) goes through `engine.gradients`, every kernel through `engine.runKernel`, every node of the tape
 * through `engine.addTapeNode`: overriding those on the engine instance leaves the user's code unchanged. Uninstalling deletes
 * the own properties, and the engine is what it was.
 */
import { VdnnError } from "../errors.ts";
import type { Block, Entry } from "./block.ts";
import {
  type DataId,
  type DType,
  type Engine,
  type EngineBackend,
  type EngineMethods,
  type EngineTensor,
  type EngineVariable,
  isTensor,
  isVariable,
  type KernelResult,
  type NamedTensors,
  type TapeNode,
  tensorBytes,
  type Values,
} from "./engine.ts";
import { estimateBytes } from "./estimate.ts";
import type { Iteration } from "./iteration.ts";
import type { LayerTracker } from "./layers.ts";
import type { Meter } from "./meter.ts";
import { CONSTANT, type ConstantAttributes, Op, READ } from "./oplog.ts";
import type { Residency } from "./residency.ts";
import { type GradientRequest, type Gradients, TrainingCall } from "./training-call.ts";

export interface InterceptContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly iteration: Iteration;
  readonly layers: LayerTracker;
  readonly meter: Meter;
  /** Meter only: gradients run as in stock TF.js. */
  readonly passthrough: boolean;
  /** The policy lets data leave the device. */
  readonly mayOffload: boolean;
  /** relu's gradient may read relu's output instead of its input: proven equal to the bit on this backend. */
  readonly reluFromOutput: boolean;
  /** Kernel that equals Step on a relu's output on this backend, where it is cheaper. */
  readonly stepOfRelu: string | null;
  /** Called after every kernel of an iteration. */
  readonly afterKernel: () => void;
  /** Called when an iteration has ended; it is closed afterwards. */
  readonly finished: () => void;
}

type Originals = { readonly [M in keyof EngineMethods]: EngineMethods[M] };

const METHODS: readonly (keyof EngineMethods)[] = [
  "runKernel",
  "gradients",
  "addTapeNode",
  "moveData",
  "makeTensor",
  "readSync",
  "read",
  "incRef",
  "disposeTensor",
  "keep",
];

/** What an aborted iteration must put back: the value that a variable had before it. */
interface Rollback {
  readonly variable: EngineVariable;
  readonly value: EngineTensor;
}

export class Interceptor {
  readonly #context: InterceptContext;
  readonly #engine: Engine;
  readonly #original: Originals;
  readonly #rollbacks = new Map<string, Rollback>();
  readonly #reluOutputs = new WeakSet<EngineTensor>();
  /** Weights of the running iteration. */
  #weights: ReadonlySet<DataId> = new Set();
  /** Nested kernel calls: kernels that are built from other kernels. */
  #depth = 0;
  /** Kernel that runs or ran last. */
  #kernelName = "";
  #replaced: Block | null = null;
  /** An update has run, and the device has not yet confirmed it. */
  #confirming = false;

  constructor(context: InterceptContext) {
    this.#context = context;
    this.#engine = context.engine;
    const bound = METHODS.map((name) => [name, context.engine[name].bind(context.engine)]);
    this.#original = Object.fromEntries(bound) as Originals;
  }

  /** Name of the layer that is running: of the model, or of the op where there is none. */
  get layer(): string {
    const { iteration, layers } = this.#context;
    return layers.current ?? `${this.#kernelName}_${iteration.log.ops.length}`;
  }

  isWeight(block: Block): boolean {
    return block.variables > 0 && block.entries.some((entry) => entry.alive && this.#weights.has(entry.dataId));
  }

  install(): void {
    const overrides: EngineMethods = {
      runKernel: (name, inputs, attributes) => this.#runKernel(name, inputs, attributes),
      gradients: (f, xs, dy, allowNone) => this.#gradients(f, xs, dy, allowNone),
      addTapeNode: (name, inputs, outputs, gradient, saved, attributes) =>
        this.#addTapeNode(name, inputs, outputs, gradient, saved, attributes),
      moveData: (backend, dataId) => this.#moveData(backend, dataId),
      makeTensor: (values, shape, dtype, backend) => this.#makeTensor(values, shape, dtype, backend),
      // Noted when it is done: the plan may free the data after its last read.
      readSync: (dataId) => {
        const values = this.#original.readSync(dataId);
        this.#noteRead(dataId);
        return values;
      },
      read: (dataId) => {
        const values = this.#original.read(dataId);
        this.#noteRead(dataId);
        return values;
      },
      incRef: (tensor, backend) => this.#incRef(tensor, backend),
      disposeTensor: (tensor) => this.#disposeTensor(tensor),
      keep: (tensor) => this.#keep(tensor),
    };
    Object.assign(this.#engine, overrides);
  }

  uninstall(): void {
    // Latest first: V8 takes only the last property off without making a slow dictionary of the object.
    for (const name of METHODS.toReversed()) Reflect.deleteProperty(this.#engine, name);
  }

  /** A kernel as TF.js runs it, for replays. */
  runOriginal(name: string, inputs: NamedTensors, attributes: object | undefined, needBytes: number): KernelResult {
    return this.#nested(name, inputs, attributes, needBytes);
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
      if (!this.#confirming) this.#forgetRollbacks();
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      iteration.pass = null;
      meter.pass = undefined;
    }
    iteration.busyMs += meter.now() - start;
    residency.tick();
    if (!this.#confirming) this.close();
  }

  /** An update whose success the device tells later: until `confirmed` resolves it can be undone. */
  async updateConfirmed(apply: () => void, confirmed: () => Promise<void>): Promise<void> {
    this.#confirming = true;
    try {
      apply();
      await confirmed();
    } catch (error) {
      if (this.#context.iteration.isOpen) this.abort();
      throw error;
    } finally {
      this.#confirming = false;
    }
    this.close();
  }

  /** Ends the open iteration, if there is one. */
  close(): void {
    const { iteration, finished } = this.#context;
    if (iteration.isSuspended || this.#confirming) return;
    if (iteration.isOpen) finished();
    this.#forgetRollbacks();
    this.#weights = new Set();
  }

  #runKernel(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    if (this.#depth > 0) return this.#call(name, inputs, attributes);
    const { iteration, residency, stepOfRelu } = this.#context;
    if (PASSING.has(name)) {
      const first = firstTensor(inputs);
      if (first !== null && residency.adapter.passesThrough(name, first, attributes)) {
        return this.#original.runKernel(name, inputs, attributes);
      }
    }
    if (stepOfRelu !== null && name === "Step" && this.#reluOutputs.has(inputs["x"] as EngineTensor)) {
      return this.#runKernel(stepOfRelu, inputs, {});
    }
    residency.tick();
    this.#present(inputs);
    if (iteration.pass !== null) return this.#recorded(name, inputs, attributes);
    if (iteration.countsForeign) iteration.foreignKernels++;
    this.#reserve(name, inputs, attributes, undefined);
    return this.#nested(name, inputs, attributes, undefined);
  }

  /** Runs a kernel of an iteration, whose inputs are present. */
  #recorded(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    const { iteration, meter, residency } = this.#context;
    const reads = this.#entries(inputs);
    // Without a limit nobody asks.
    const plannedBytes =
      residency.limitBytes === Number.POSITIVE_INFINITY ? undefined : iteration.plannedNeed(name, reads);
    this.#reserve(name, inputs, attributes, plannedBytes);
    const before = residency.usedBytes;
    meter.openWindow(before);
    this.#kernelName = name;
    const { isTimed } = iteration;
    const start = meter.tracing ? meter.now() : 0;
    const result = this.#nested(name, inputs, attributes, plannedBytes);
    const ms = isTimed ? meter.sinceMark() : Number.NaN;
    if (meter.tracing) {
      meter.layer = this.layer;
      meter.kernel(name, start, residency.usedBytes);
    }
    this.#ran(name, inputs, attributes, reads, result, ms, meter.windowPeakBytes - before);
    if (iteration.isTimed) meter.mark();
    return result;
  }

  /** Makes room for what a kernel needs. */
  #reserve(name: string, inputs: NamedTensors, attributes: object | undefined, plannedBytes: number | undefined): void {
    const { residency } = this.#context;
    if (residency.limitBytes === Number.POSITIVE_INFINITY) return;
    const needBytes = plannedBytes ?? this.#estimate(name, inputs, attributes);
    if (residency.usedBytes + needBytes > residency.limitBytes) residency.makeRoom(needBytes);
  }

  /** Runs a kernel; what it calls in turn is part of it. */
  #nested(
    name: string,
    inputs: NamedTensors,
    attributes: object | undefined,
    plannedBytes: number | undefined,
  ): KernelResult {
    const { residency } = this.#context;
    const { nextBlock } = residency;
    this.#depth++;
    try {
      return this.#call(name, inputs, attributes);
    } catch (error) {
      const refused = residency.adapter.isOutOfMemory(error);
      if (refused || error instanceof VdnnError) residency.discard(nextBlock);
      if (!refused) throw error;
      const needBytes = plannedBytes ?? this.#estimate(name, inputs, attributes);
      return residency.insist(needBytes, error, () => this.#call(name, inputs, attributes));
    } finally {
      this.#depth--;
    }
  }

  #estimate(name: string, inputs: NamedTensors, attributes: object | undefined): number {
    return estimateBytes(
      name,
      inputs,
      attributes,
      this.#context.residency.adapter.outputsHeld(name, inputs, attributes),
    );
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
    const writes = Array.isArray(result)
      ? result.flatMap(({ dataId }) => residency.entry(dataId) ?? [])
      : oneOrNone(residency.entry(result.dataId));
    iteration.ran(new Op(name, inputs, attributes, reads, writes, ms, needBytes));
    this.#context.afterKernel();
  }

  /** A tensor from JavaScript values as TF.js makes it, for replays. */
  makeOriginal(values: Values, shape: number[], dtype: DType | undefined): EngineTensor {
    return this.#make(values, shape, dtype, undefined, tensorBytes(shape, dtype ?? "float32"));
  }

  #call(name: string, inputs: NamedTensors, attributes: object | undefined): KernelResult {
    const { residency } = this.#context;
    if (SHARING.has(name)) {
      const first = firstTensor(inputs);
      if (first !== null && residency.adapter.sharesInput(name, first, attributes)) {
        const block = residency.entry(first.dataId)?.block;
        return residency.sharing(block, () => this.#original.runKernel(name, inputs, attributes));
      }
    }
    return this.#original.runKernel(name, inputs, attributes);
  }

  /** Brings a kernel's inputs to the device and marks them as in use. */
  #present(inputs: NamedTensors): void {
    const { residency } = this.#context;
    let absent = false;
    for (const name in inputs) {
      const block = residency.entryOf(inputs[name])?.block;
      if (block === undefined) continue;
      residency.touch(block);
      if (block.residency !== "device") absent = true;
    }
    if (absent) for (const { block } of this.#entries(inputs)) residency.ensure(block, false);
  }

  #entries(inputs: NamedTensors): Entry[] {
    const { residency } = this.#context;
    let count = 0;
    for (const name in inputs) if (residency.entryOf(inputs[name]) !== undefined) count++;
    // One that grew by push would have room for 17, and the record keeps it.
    // oxlint-disable-next-line unicorn/no-new-array
    const entries = new Array<Entry>(count);
    let position = 0;
    for (const name in inputs) {
      const entry = residency.entryOf(inputs[name]);
      if (entry !== undefined) entries[position++] = entry;
    }
    return entries;
  }

  #gradients(
    f: () => EngineTensor,
    xs: EngineTensor[],
    dy: EngineTensor | null | undefined,
    allowNone = false,
  ): Gradients {
    const { iteration, passthrough } = this.#context;
    if (this.#engine.state.gradientDepth > 0 || iteration.pass !== null)
      return this.#original.gradients(f, xs, dy, allowNone);
    this.#mayBlock();
    if (passthrough) return this.#asStock(f, xs, dy, allowNone);
    return this.begin({ f, xs, dy: dy ?? null, allowNone }).run();
  }

  /** Opens an iteration. Its passes run when the caller drives what is returned. */
  begin(request: GradientRequest): TrainingCall {
    const { iteration, residency } = this.#context;
    if (this.#engine.backend !== residency.adapter.backend) {
      throw new VdnnError(
        "ERR_BACKEND",
        `the backend was changed to "${this.#engine.backendName}" while vdnn virtualizes "${residency.adapter.name}"; ` +
          "dispose the session before tf.setBackend, and virtualize again after it",
        { backend: this.#engine.backendName },
      );
    }
    this.close();
    this.#weights = new Set(request.xs.map((x) => x.dataId));
    iteration.begin();
    return new TrainingCall(this.#context, request, () => this.abort());
  }

  /** Stock TF.js, only timed. */
  #asStock(
    f: () => EngineTensor,
    xs: EngineTensor[],
    dy: EngineTensor | null | undefined,
    allowNone: boolean,
  ): Gradients {
    const { iteration, meter, residency } = this.#context;
    this.close();
    const start = meter.now();
    iteration.begin();
    meter.pass = "forward";
    try {
      return this.#original.gradients(f, xs, dy, allowNone);
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      meter.pass = undefined;
      iteration.busyMs += meter.now() - start;
      residency.tick();
    }
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
        "(model.fit, fitDataset and trainOnBatch work as they are)",
      { backend: name },
    );
  }

  /** The step failed: everything is as before it. */
  abort(): void {
    const { iteration } = this.#context;
    const rollbacks = [...this.#rollbacks.values()];
    this.#rollbacks.clear();
    iteration.finish();
    iteration.log.clear();
    this.#weights = new Set();
    for (const { variable, value } of rollbacks) {
      if (!variable.isDisposed) variable.assign(value);
      value.dispose();
    }
  }

  /** The program itself gives the variable another value. */
  #forgetRollback(name: string): void {
    this.#rollbacks.get(name)?.value.dispose();
    this.#rollbacks.delete(name);
  }

  #forgetRollbacks(): void {
    for (const { value } of this.#rollbacks.values()) value.dispose();
    this.#rollbacks.clear();
  }

  #addTapeNode(
    kernelName: string,
    inputs: Record<string, EngineTensor>,
    outputs: EngineTensor[],
    gradient: unknown,
    saved: EngineTensor[],
    attributes: unknown,
  ): void {
    const { reluFromOutput, iteration } = this.#context;
    const { state } = this.#engine;
    const top = iteration.pass === "forward" && state.gradientDepth === 1;
    if (top && kernelName === "Relu" && reluFromOutput && saved.length === 1) this.#saveOutput(outputs[0], saved);
    this.#original.addTapeNode(kernelName, inputs, outputs, gradient, saved, attributes);
    if (top) {
      const node = state.activeTape?.at(-1) as TapeNode;
      node.layer = this.#context.layers.current ?? iteration.log.ops.length;
    }
  }

  /**
   * relu(x) > 0 exactly where x > 0, so the mask that relu's gradient builds from its input can be built from its output, which
   * the next layer keeps anyway. (`proveRelu` has checked this backend, NaN and signed zeros included.)
   */
  #saveOutput(output: EngineTensor | undefined, saved: EngineTensor[]): void {
    if (output === undefined) return;
    const { dataId, shape, dtype } = output;
    this.#context.residency.adapter.backend.incRef(dataId);
    const clone = this.#engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    clone.kept = true;
    saved[0]?.dispose();
    saved[0] = clone;
    this.#reluOutputs.add(clone);
  }

  #moveData(backend: Parameters<EngineMethods["moveData"]>[0], dataId: DataId): void {
    const { residency } = this.#context;
    const entry = residency.entry(dataId);
    if (entry === undefined || backend !== residency.adapter.backend || entry.block.residency === "device") {
      this.#original.moveData(backend, dataId);
      return;
    }
    residency.touch(entry.block);
    residency.ensure(entry.block, false);
  }

  #makeTensor(values: Values, shape: number[], dtype: DType | undefined, backend?: EngineBackend): EngineTensor {
    if (this.#depth > 0) return this.#original.makeTensor(values, shape, dtype, backend);
    const { iteration, residency } = this.#context;
    residency.tick();
    const bytes = tensorBytes(shape, dtype ?? "float32");
    if (residency.usedBytes + bytes > residency.limitBytes) residency.makeRoom(bytes);
    if (iteration.pass === null) return this.#make(values, shape, dtype, backend, bytes);
    this.#kernelName = CONSTANT;
    const tensor = this.#make(values, shape, dtype, backend, bytes);
    const attributes: ConstantAttributes = { values };
    this.#ran(CONSTANT, {}, attributes, [], tensor, 0, bytes);
    return tensor;
  }

  #make(
    values: Values,
    shape: number[],
    dtype: DType | undefined,
    backend: EngineBackend | undefined,
    bytes: number,
  ): EngineTensor {
    try {
      return this.#original.makeTensor(values, shape, dtype, backend);
    } catch (error) {
      const { residency } = this.#context;
      if (!residency.adapter.isOutOfMemory(error)) throw error;
      return residency.insist(bytes, error, () => this.#original.makeTensor(values, shape, dtype, backend));
    }
  }

  /** The program reads a tensor in the middle of an iteration (`dataSync`): that is a use like any other. */
  #noteRead(dataId: DataId): void {
    const { iteration, residency } = this.#context;
    const entry = residency.entry(dataId);
    if (iteration.pass === null || this.#depth > 0 || entry === undefined) return;
    iteration.ran(new Op(READ, {}, undefined, [entry], [], 0, 0));
  }

  /** A variable takes a buffer: at its creation, and at every assign. */
  #incRef(tensor: EngineTensor, backend: EngineBackend | null): void {
    const { iteration, residency } = this.#context;
    const entry = residency.entry(tensor.dataId) ?? residency.adopt(tensor.dataId);
    if (entry !== undefined) {
      entry.block.variables++;
      if (entry.block.residency === "dropped") residency.ensure(entry.block, false);
      if (this.#replaced !== null && iteration.pass !== null) iteration.log.replace(this.#replaced, entry.block);
    }
    this.#replaced = null;
    this.#original.incRef(tensor, backend);
  }

  #disposeTensor(tensor: EngineTensor): void {
    if (isVariable(tensor)) this.#variableLetsGo(tensor);
    this.#original.disposeTensor(tensor);
  }

  /** A variable gives up its buffer: it is assigned or disposed. */
  #variableLetsGo(variable: EngineVariable): void {
    const { iteration, residency } = this.#context;
    const { dataId, shape, dtype } = variable;
    if (iteration.pass === null) this.#forgetRollback(variable.name);
    const block = residency.entry(dataId)?.block;
    if (block === undefined) return;
    block.variables = Math.max(0, block.variables - 1);
    this.#replaced = block;
    // Statistics that a forward pass assigns (batch norm) are put back if the step fails, and so are weights and optimizer state
    // in an update that no plan has shown to fit. Their old values may leave for the host meanwhile.
    const { pass } = iteration;
    if (
      pass === null ||
      (pass === "update" && !this.#journalsUpdates()) ||
      this.#rollbacks.has(variable.name) ||
      variable.isDisposed
    )
      return;
    residency.adapter.backend.incRef(dataId);
    const value = this.#engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    value.kept = true;
    this.#rollbacks.set(variable.name, { variable, value });
  }

  /** An update can fail half-way until a plan has shown that it fits. Without any limit only its first run is watched. */
  #journalsUpdates(): boolean {
    const { iteration, mayOffload, residency } = this.#context;
    if (!mayOffload) return false;
    const { follower } = iteration;
    return follower === null || (Number.isFinite(residency.limitBytes) && !follower.compiled.isProven);
  }

  #keep<T extends EngineTensor>(tensor: T): T {
    const { iteration, residency } = this.#context;
    // Inside a kernel this is TF.js saving for the gradient, and the plan knows what is read of that.
    if (iteration.pass !== null && this.#engine.state.kernelDepth === 0) {
      const block = residency.entry(tensor.dataId)?.block;
      if (block !== undefined) {
        block.kept = true;
        if (block.residency === "dropped") residency.ensure(block, false);
      }
    }
    return this.#original.keep(tensor);
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
