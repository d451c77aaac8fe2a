/**
 * A session: TensorFlow.js virtualized, from `virtualize` to `dispose`. It puts the parts together and decides nothing that a
 * policy or a plan could decide.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { DeviceAdapter } from "../backends/adapter.ts";
import { VdnnError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { QueueStream } from "../memory/queue-stream.ts";
import type { Stream } from "../memory/stream.ts";
import type { Vault } from "../memory/vault.ts";
import type { TraceHistory } from "../report/history.ts";
import type { SessionReport, TraceEvent } from "../report/result.ts";
import { formatBytes } from "../units.ts";
import { AwaitingDriver, type VariableGradients } from "./awaiting.ts";
import { type Engine, engineOf, type TensorFlow } from "./engine.ts";
import { Interceptor } from "./intercept.ts";
import { Iteration } from "./iteration.ts";
import { LayerTracker } from "./layers.ts";
import { Learner } from "./learner.ts";
import type { Meter } from "./meter.ts";
import { awaitInModels } from "./models.ts";
import { interceptOptimizers } from "./optimizers.ts";
import type { SessionOptions } from "./options.ts";
import { outOfMemory, tooLarge } from "./out-of-memory.ts";
import { Planner } from "./planner.ts";
import { Reporter } from "./reporter.ts";
import { Residency } from "./residency.ts";
import type { ReluProof } from "./self-test.ts";
import type { Steps } from "./steps.ts";
import type { DeviceCopy } from "./transfers.ts";
import { Victims } from "./victims.ts";

/** Kernels for which an idle tensor stays in the first iteration of a policy that offloads everything. */
const IDLE_KERNELS = 8;

/** Where an engine has its session: on itself, as several copies of vdnn may share it (`vdnn run` and a script that imports vdnn). */
const ACTIVE = Symbol.for("vdnn.session");

/** What a session is made of. */
export interface SessionParts {
  readonly tf: TensorFlow;
  readonly adapter: DeviceAdapter;
  readonly options: SessionOptions;
  readonly relu: ReluProof;
  readonly meter: Meter;
  /** Closed with the session. */
  readonly vault: Vault;
}

export class Session {
  readonly backend: string;
  readonly #tf: TensorFlow;
  readonly #engine: Engine;
  readonly #options: SessionOptions;
  readonly #meter: Meter;
  readonly #vault: Vault;
  readonly #residency: Residency;
  readonly #planner: Planner;
  readonly #layers: LayerTracker;
  readonly #iteration: Iteration;
  readonly #interceptor: Interceptor;
  readonly #victims: Victims;
  readonly #learner: Learner;
  readonly #restoreOptimizers: () => void;
  readonly #unmend: () => void;
  readonly #reporter: Reporter;
  /** Null on a backend that blocks: the thread that computes copies too. */
  readonly #offloadStream: Stream<DeviceCopy> | null;
  readonly #driver: AwaitingDriver | null;
  readonly #restoreModels: () => void;
  #attached = true;

  /** The session that virtualizes this engine; null where there is none. */
  static on(engine: Engine): Session | null {
    return (engine as { readonly [ACTIVE]?: Session })[ACTIVE] ?? null;
  }

  /** @throws VdnnError `ERR_SESSION_ACTIVE` when this engine is virtualized already */
  static refuseSecond(engine: Engine): void {
    if (Session.on(engine) === null) return;
    throw new VdnnError(
      "ERR_SESSION_ACTIVE",
      "this TensorFlow.js is virtualized already; dispose the other session first",
    );
  }

  /** Use `virtualize` or `attach`. */
  constructor({ tf, adapter, options, relu, meter, vault }: SessionParts) {
    const engine = engineOf(tf);
    Session.refuseSecond(engine);
    const { asynchronous } = adapter;
    this.#tf = tf;
    this.#engine = engine;
    this.#options = options;
    this.backend = adapter.name;
    this.#meter = meter;
    this.#vault = vault;
    meter.vault = vault;
    this.#offloadStream = asynchronous === undefined ? null : deviceStream(this.#meter);
    if (asynchronous !== undefined) meter.tracer?.watch(asynchronous);
    this.#planner = new Planner(options.policy);
    this.#reporter = new Reporter({ backend: this.backend, options, meter, vault, planner: this.#planner });
    this.#layers = new LayerTracker(tf);
    this.#residency = new Residency({
      engine,
      adapter,
      vault: this.#vault,
      meter: this.#meter,
      budgetBytes: options.deviceBytes - (adapter.allocator?.reservedBytes ?? 0),
      offloadStream: this.#offloadStream,
      chooseVictim: () => (options.policy.mayOffload ? this.#victims.choose() : null),
      nextUse: (block) => this.#victims.nextUse(block),
      rebuild: (block) => this.#iteration.replay.rebuild(block),
      missed: () => this.#iteration.missed(),
      outlivesStep: (block) => this.#victims.outlivesStep(block),
      outOfMemory: (needBytes, refusal) => this.#outOfMemory(needBytes, refusal),
      tooLarge: (bytes, limit) => tooLarge(this.#interceptor.kernels, bytes, limit),
      refused: (needBytes) => this.#refused(needBytes),
    });
    this.#iteration = new Iteration(
      this.#residency,
      this.#planner,
      this.#meter,
      () => this.#interceptor.kernels.layer,
      {
        engine,
        runKernel: (name, inputs, attributes, needBytes) =>
          this.#interceptor.kernels.runOriginal(name, inputs, attributes, needBytes),
        makeTensor: (values, shape, dtype) => this.#interceptor.kernels.makeOriginal(values, shape, dtype),
      },
    );
    this.#interceptor = new Interceptor({
      engine,
      residency: this.#residency,
      iteration: this.#iteration,
      layers: this.#layers,
      meter: this.#meter,
      passthrough: options.policy.passthrough,
      mayOffload: options.policy.mayOffload,
      reluFromOutput: relu.reluFromOutput,
      stepOfRelu: adapter.name === "tensorflow" && relu.signIsStep ? "Sign" : null,
      afterKernel: () => this.#afterKernel(),
      finished: () => this.#finished(),
    });
    this.#victims = new Victims({
      residency: this.#residency,
      iteration: this.#iteration,
      isWeight: (block) => this.#interceptor.steps.isWeight(block),
      deviceBlocks: this.#offloadStream === null,
      hostBlocks: vault.canBlock,
    });
    this.#learner = new Learner({
      backend: adapter.name,
      engine,
      options,
      planner: this.#planner,
      residency: this.#residency,
      layers: this.#layers,
      meter,
      log: this.#iteration.log,
      copiesBlock: this.#offloadStream === null,
    });
    Object.defineProperty(engine, ACTIVE, { configurable: true, value: this });
    this.#residency.install();
    this.#interceptor.install();
    this.#layers.install();
    this.#unmend = options.policy.passthrough ? () => undefined : adapter.mend(tf);
    this.#restoreOptimizers = options.policy.passthrough
      ? interceptUpdatesOnly(tf, this.#interceptor.steps)
      : interceptOptimizers(tf, {
          update: (_gradients, apply) => this.#interceptor.steps.update(apply),
          variable: (name, apply) => this.#layers.within(name.split("/")[0] ?? name, apply),
        });
    this.#driver =
      asynchronous === undefined || options.policy.passthrough
        ? null
        : new AwaitingDriver({
            device: asynchronous,
            tf,
            steps: this.#interceptor.steps,
            iteration: this.#iteration,
            residency: this.#residency,
            vault: this.#vault,
            meter: this.#meter,
            awaitEachCopy: options.awaitEachCopy,
            warn: (warning) => this.#reporter.warn(warning),
          });
    this.#restoreModels = this.#driver === null ? () => undefined : awaitInModels(tf, this.#driver);
    options.logger?.debug({ backend: this.backend, policy: options.policy.name }, "vdnn attached");
  }

  /**
   * `optimizer.minimize` that can wait for copies. On a backend that blocks it is the same as that. Training calls that are
   * made at once run one after the other.
   *
   * @param f its loss. Where a step leaves its plan it may run twice, with the same random numbers: Note [Second attempt]
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, `ERR_HOST_MEMORY`, `ERR_BACKEND`; the step is undone then
   */
  async minimize(
    optimizer: tfjs.Optimizer,
    f: () => tfjs.Scalar,
    returnCost: boolean = false,
    varList?: tfjs.Variable[],
  ): Promise<tfjs.Scalar | null> {
    return this.#driver === null || !this.#attached
      ? optimizer.minimize(f, returnCost, varList)
      : this.#driver.minimize(optimizer, f, returnCost, varList);
  }

  /** `tf.variableGrads` that can wait for copies. @param f may run twice, as in `minimize` */
  async variableGrads(f: () => tfjs.Scalar, varList?: tfjs.Variable[]): Promise<VariableGradients> {
    return this.#driver === null || !this.#attached
      ? this.#tf.variableGrads(f, varList)
      : this.#driver.variableGrads(f, varList);
  }

  /** Exact device bytes now. */
  get deviceBytes(): number {
    return this.#residency.ledger.usedBytes;
  }

  /** Bytes in host memory now, those on their way there included. */
  get hostBytes(): number {
    return this.#vault.stats.hostBytes;
  }

  /** Bytes that are allocated on the device now, freed buffers in the backend's pool included; where the backend tells. */
  get allocatedDeviceBytes(): number | null {
    return this.#residency.adapter.allocator?.allocatedBytes ?? null;
  }

  /** The most of that since the session began. */
  get peakAllocatedDeviceBytes(): number | null {
    return this.#residency.adapter.allocator?.peakAllocatedBytes ?? null;
  }

  /** What was measured so far. */
  report(): SessionReport {
    this.#interceptor.steps.close();
    return this.#reporter.report();
  }

  /** The graph of the iteration recorded last; null before the first. */
  graph(): Graph | null {
    this.#interceptor.steps.close();
    return this.#learner.graph;
  }

  /** The largest iteration that was recorded, and how many kinds there were; null before the first. */
  recorded(): { readonly graph: Graph; readonly kinds: number } | null {
    this.#interceptor.steps.close();
    const { largest, kinds } = this.#learner.recording;
    return largest === null ? null : { graph: largest, kinds };
  }

  /**
   * The events so far, when the session was made with `trace: true`: the first 50,000 and the newest 200,000. The report has a warning
   * where some between them are left out.
   */
  trace(): readonly TraceEvent[] {
    return this.#meter.tracer?.events ?? [];
  }

  /** Memory over time and two steps in full, when the session was made with `history: true`; else null. */
  history(): TraceHistory | null {
    return this.#meter.tracer?.history ?? null;
  }

  /** Brings all data back to the device and leaves TensorFlow.js as it was. Idempotent. */
  async dispose(): Promise<void> {
    // As a training call among the others: none of them can be under way then.
    await (this.#driver === null ? this.#detachLater() : this.#driver.last(() => this.#detachLater()));
    await this.#vault.close();
    await this.#offloadStream?.close();
  }

  async #detachLater(): Promise<void> {
    if (this.#attached && !this.#vault.canBlock && !this.#isLost) await this.#residency.settleLater();
    this.detach();
  }

  /** The device is gone: there is nothing to bring data back to. */
  get #isLost(): boolean {
    return this.#residency.adapter.asynchronous?.isLost === true;
  }

  /** The synchronous part of `dispose`; the spill streams end with the process. */
  detach(): void {
    if (!this.#attached) return;
    this.#interceptor.steps.close();
    // The one step that can fail. The session goes on then, and can be disposed when tensors were.
    if (!this.#isLost) this.#residency.settle();
    this.#attached = false;
    this.#restoreModels();
    this.#restoreOptimizers();
    this.#layers.uninstall();
    this.#interceptor.uninstall();
    this.#residency.uninstall();
    this.#unmend();
    this.#meter.tracer?.close();
    Reflect.deleteProperty(this.#engine, ACTIVE);
  }

  #afterKernel(): void {
    const { adversarial, policy } = this.#options;
    if (adversarial) this.#victims.offloadIdle(0, true);
    else if (policy.firstIteration === "offload" && this.#iteration.follower === null) {
      this.#victims.offloadIdle(IDLE_KERNELS, false);
    }
  }

  #finished(): void {
    const { mode, followed, complete } = this.#iteration.finish();
    const { passthrough } = this.#options.policy;
    const result = this.#meter.end(
      passthrough ? "stock" : mode,
      this.#iteration.busyMs,
      this.#iteration.log.ops.length,
    );
    if (followed === null && !passthrough) this.#learn();
    else if (followed !== null && complete && followed.timings !== null) this.#learner.calibrate(followed);
    this.#iteration.log.clear();
    this.#layers.forget();
    if (this.#residency.room.iterationEnded(result.peakDeviceBytes)) this.#planner.forget();
    this.#reporter.ended(result, this.#iteration.foreignKernels);
  }

  #learn(): void {
    const { compiled, fits, deviceBytes } = this.#learner.learn();
    const { policy, predicted } = compiled.plan;
    this.#options.logger?.debug({ policy, predicted, fits }, "vdnn plan");
    if (fits || !this.#options.policy.mayOffload) return;
    this.#reporter.warn(
      `policy ${policy} plans ${formatBytes(predicted.peakDeviceBytes)} of device memory for the iteration, ` +
        `${formatBytes(deviceBytes)} are left of the budget; the rest leaves on demand`,
    );
  }

  /** Plans were made for a device that is larger than this one has shown to be. */
  #refused(needBytes: number): void {
    this.#planner.forget();
    this.#reporter.warn(
      `the device's own allocator refused ${formatBytes(needBytes)} although the budget had room; from now on ` +
        `vdnn stays below ${formatBytes(this.#residency.room.limitBytes)} and plans anew`,
    );
  }

  #outOfMemory(needBytes: number, refusal: unknown): VdnnError {
    const residency = this.#residency;
    const reservedBytes = residency.adapter.allocator?.reservedBytes ?? 0;
    return outOfMemory({
      layer: this.#interceptor.kernels.layer || "a tensor made outside training",
      needBytes,
      usedBytes: residency.ledger.usedBytes + reservedBytes,
      budgetBytes: residency.room.budgetBytes + reservedBytes,
      reservedBytes,
      policy: this.#options.policy,
      blocks: [...residency.blocks()],
      isWeight: (block) => this.#interceptor.steps.isWeight(block),
      log: this.#iteration.log,
      isInUse: (block) => residency.clock.isInUse(block),
      isMovable: (block) => residency.transfers.isMovable(block),
      isOwn: (block) => this.#interceptor.journal.isOldValue(block) || this.#iteration.replay.owns(block),
      compiled: this.#iteration.follower?.compiled ?? null,
      refusal,
    });
  }
}

/** Stock optimizers, only timed as the end of an iteration. */
function interceptUpdatesOnly(tf: TensorFlow, steps: Steps): () => void {
  return interceptOptimizers(tf, { update: (_gradients, apply) => steps.update(apply), variable: null });
}

function deviceStream(meter: Meter): QueueStream<DeviceCopy> {
  return new QueueStream<DeviceCopy>({
    name: "offload",
    perform: async ({ copy, slot }) => {
      let start = meter.now();
      // Its turn may come while the device still computes what is queued before it.
      void copy.reached.then(() => {
        start = meter.now();
      });
      await copy.finish(slot.view);
      meter.travelled(slot.bytes, start);
    },
  });
}
