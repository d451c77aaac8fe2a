/**
 * The overrides on the TensorFlow.js engine. All training (`fit`, `fitDataset`, `trainOnBatch`, `optimizer.minimize`,
 * `variableGrads`, `tf.grads`) goes through `engine.gradients`, every kernel through `engine.runKernel`, every node of the tape
 * through `engine.addTapeNode`: overriding those on the engine instance leaves the user's code unchanged. Uninstalling deletes
 * the own properties, and the engine is what it was.
 */
import type { Block } from "./block.ts";
import type {
  DataId,
  DType,
  Engine,
  EngineMethods,
  EngineTensor,
  KernelResult,
  NamedTensors,
  Values,
} from "./engine.ts";
import { Journal, type JournalContext } from "./journal.ts";
import { type KernelContext, Kernels } from "./kernels.ts";
import { type StepContext, Steps } from "./steps.ts";
import { Tape, type TapeContext } from "./tape.ts";
import type { GradientRequest, TrainingCall } from "./training-call.ts";

export type InterceptContext = KernelContext & TapeContext & JournalContext & StepContext;

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

export class Interceptor {
  readonly #context: InterceptContext;
  readonly #engine: Engine;
  /** As TF.js has them. */
  readonly #original: EngineMethods;
  readonly #tape: Tape;
  readonly #kernels: Kernels;
  readonly #journal: Journal;
  readonly #steps: Steps;

  constructor(context: InterceptContext) {
    const { engine } = context;
    const original = Object.fromEntries(
      METHODS.map((name) => [name, engine[name].bind(engine)]),
    ) as unknown as EngineMethods;
    this.#context = context;
    this.#engine = engine;
    this.#original = original;
    this.#tape = new Tape(context, original);
    this.#kernels = new Kernels(context, this.#tape, original);
    this.#journal = new Journal(context, original);
    this.#steps = new Steps(context, this.#journal, original);
  }

  install(): void {
    const [original, kernels, tape, journal, steps] = [
      this.#original,
      this.#kernels,
      this.#tape,
      this.#journal,
      this.#steps,
    ];
    const overrides: EngineMethods = {
      runKernel: (name, inputs, attributes) => kernels.run(name, inputs, attributes),
      gradients: (f, xs, dy, allowNone = false) => steps.gradients({ f, xs, dy: dy ?? null, allowNone }),
      addTapeNode: (name, inputs, outputs, gradient, saved, attributes) =>
        tape.addNode(name, inputs, outputs, gradient, saved, attributes),
      moveData: (backend, dataId) => this.#moveData(backend, dataId),
      makeTensor: (values, shape, dtype, backend) => kernels.makeTensor(values, shape, dtype, backend),
      // Noted when it is done: the plan may free the data after its last read.
      readSync: (dataId) => {
        const values = original.readSync(dataId);
        kernels.noteRead(dataId);
        return values;
      },
      read: (dataId) => {
        const values = original.read(dataId);
        kernels.noteRead(dataId);
        return values;
      },
      incRef: (tensor, backend) => journal.incRef(tensor, backend),
      disposeTensor: (tensor) => journal.disposeTensor(tensor),
      keep: (tensor) => tape.keep(tensor),
    };
    Object.assign(this.#engine, overrides);
  }

  uninstall(): void {
    // Latest first: V8 takes only the last property off without making a slow dictionary of the object.
    for (const name of METHODS.toReversed()) Reflect.deleteProperty(this.#engine, name);
  }

  /** Name of the layer that is running: of the model, or of the op where there is none. */
  get layer(): string {
    return this.#kernels.layer;
  }

  /** Kernel that runs or ran last. */
  get kernel(): string {
    return this.#kernels.name;
  }

  /** The block holds a weight of the running iteration. */
  isWeight(block: Block): boolean {
    return this.#steps.isWeight(block);
  }

  /** The block holds what a variable held before the running iteration. */
  isOldValue(block: Block): boolean {
    return this.#journal.isOldValue(block);
  }

  /** A kernel as TF.js runs it, for replays. */
  runOriginal(name: string, inputs: NamedTensors, attributes: object | undefined, needBytes: number): KernelResult {
    return this.#kernels.runOriginal(name, inputs, attributes, needBytes);
  }

  /** A tensor from JavaScript values as TF.js makes it, for replays. */
  makeOriginal(values: Values, shape: number[], dtype: DType | undefined): EngineTensor {
    return this.#kernels.makeOriginal(values, shape, dtype);
  }

  /** Opens an iteration. Its passes run when the caller drives what is returned. */
  begin(request: GradientRequest): TrainingCall {
    return this.#steps.begin(request);
  }

  /** Runs an optimizer's update as the last part of the open iteration. */
  update(apply: () => void): void {
    this.#steps.update(apply);
  }

  /** An update whose success the device tells later: until `confirmed` resolves it can be undone. */
  async updateConfirmed(apply: () => void, confirmed: () => Promise<void>): Promise<void> {
    return this.#steps.updateConfirmed(apply, confirmed);
  }

  /** Ends the open iteration, if there is one. */
  close(): void {
    this.#steps.close();
  }

  /** The step failed: everything is as before it. */
  abort(): void {
    this.#steps.abort();
  }

  /** TF.js's own fault handler: a kernel has touched data that is away. */
  #moveData(backend: Parameters<EngineMethods["moveData"]>[0], dataId: DataId): void {
    const { residency } = this.#context;
    const entry = residency.ledger.entry(dataId);
    if (entry === undefined || backend !== residency.adapter.backend || entry.block.residency === "device") {
      this.#original.moveData(backend, dataId);
      return;
    }
    residency.clock.touch(entry.block);
    residency.ensure(entry.block, false);
  }
}
