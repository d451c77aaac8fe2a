/** What the kernels of one registered accelerator share, and the TensorFlow.js backend that holds its tensors. */
import { VdnnError } from "../../errors.ts";
import type {
  DataId,
  DataStorage,
  DType,
  EngineBackend,
  TensorFlow,
  TensorInfo,
  Values,
} from "../../runtime/engine.ts";
import { engineOf } from "../../runtime/engine.ts";
import type { Arithmetic } from "../arithmetic/arithmetic.ts";
import type { ArithmeticUnit } from "../arithmetic/unit.ts";
import type { Workload } from "./presets.ts";
import type { RunLog } from "./records.ts";

/** TensorFlow.js's own cpu backend: tensors are JavaScript arrays. Its kernels run on any instance of it. */
export interface HostBackend extends EngineBackend {
  readonly data: DataStorage<{ readonly values: Values | readonly number[] }>;
  firstUse: boolean;
  makeTensorInfo(shape: readonly number[], dtype: DType, values: Values): TensorInfo;
  disposeIntermediateTensorInfo(info: TensorInfo): void;
}

export interface Machine {
  readonly tf: TensorFlow;
  /** Name of the TensorFlow.js backend. */
  readonly name: string;
  readonly backend: HostBackend;
  readonly arithmetic: Arithmetic;
  readonly workloads: readonly Workload[];
  readonly unit: ArithmeticUnit;
  readonly log: RunLog;
  /** The tf.layers layer that runs now. */
  layer(): string | undefined;
}

export type Inputs = Readonly<Record<string, TensorInfo | undefined>>;
export type Attributes = Readonly<Record<string, unknown>>;

export interface TrackedBackend {
  readonly backend: HostBackend;
  /** Tensors whose data lives here now. */
  readonly held: ReadonlySet<DataId>;
}

/** A backend of its own, so that its kernels can differ and its tensors can be moved away when it goes. */
export function createBackend(tf: TensorFlow): TrackedBackend {
  const stock: object | null = tf.findBackend("cpu");
  if (stock === null) {
    throw new VdnnError(
      "ERR_BACKEND",
      "the host's operations need TensorFlow.js's cpu backend; import @tensorflow/tfjs",
      {},
    );
  }
  const backend = new (stock.constructor as new () => HostBackend)();
  // The cpu backend prints an advertisement for tfjs-node at its first write; this is the flag it looks at.
  backend.firstUse = false;
  const held = new Set<DataId>();
  const { data } = backend;
  const [set, remove] = [data.set.bind(data), data.delete.bind(data)];
  data.set = (dataId, value) => {
    held.add(dataId);
    set(dataId, value);
  };
  data.delete = (dataId) => {
    held.delete(dataId);
    return remove(dataId);
  };
  return { backend, held };
}

export function floatsOf({ backend }: Machine, { dataId }: TensorInfo): Float32Array {
  const { values } = backend.data.get(dataId);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** @throws VdnnError `ERR_BACKEND` where a gradient is being recorded: there is no backward pass on this arithmetic */
export function refuseTraining({ tf, name }: Machine): void {
  if (engineOf(tf).state.gradientDepth === 0) return;
  throw new VdnnError(
    "ERR_BACKEND",
    `the accelerator "${name}" runs inference only, and a gradient is being recorded; train on another backend ` +
      '(tf.setBackend("wasm")), then predict on this one',
    { backend: name },
  );
}
