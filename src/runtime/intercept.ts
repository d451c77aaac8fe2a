/**
 * The overrides on the TensorFlow.js engine. All training (`fit`, `fitDataset`, `trainOnBatch`, `optimizer.minimize`,
 * `variableGrads`, `tf.grads`) goes through `engine.gradients`, every kernel through `engine.runKernel`, every node of the tape
 * through `engine.addTapeNode`: overriding those on the engine instance leaves the user's code unchanged. Uninstalling deletes
 * the own properties, and the engine is what it was.
 */
import type { DataId, Engine, EngineMethods } from "./engine.ts";
import { Journal, type JournalContext } from "./journal.ts";
import { type KernelContext, Kernels } from "./kernels.ts";
import { type StepContext, Steps } from "./steps.ts";
import { Tape, type TapeContext } from "./tape.ts";

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
  readonly kernels: Kernels;
  readonly journal: Journal;
  readonly steps: Steps;

  constructor(context: InterceptContext) {
    const { engine } = context;
    const original = Object.fromEntries(
      METHODS.map((name) => [name, engine[name].bind(engine)]),
    ) as unknown as EngineMethods;
    this.#context = context;
    this.#engine = engine;
    this.#original = original;
    this.#tape = new Tape(context, original);
    this.kernels = new Kernels(context, this.#tape, original);
    this.journal = new Journal(context, original);
    this.steps = new Steps(context, this.journal, original);
  }

  install(): void {
    const { kernels, journal, steps } = this;
    const [original, tape] = [this.#original, this.#tape];
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
