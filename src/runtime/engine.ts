/**
 * The inside of TensorFlow.js 4.22, as far as vdnn touches it. These members are private in TypeScript but stand on every
 * engine instance; the package is frozen at 4.22.0 and `attach` refuses other versions.
 */
import type * as tfjs from "@tensorflow/tfjs";

/** The namespace object of any package that re-exports TensorFlow.js: tfjs, tfjs-node, tfjs-node-gpu. */
export type TensorFlow = typeof tfjs;

export const TFJS_VERSION = "4.22.0";

/** Identity of a device buffer. Backends and the engine key their tables by it. */
export type DataId = object;
export type DType = tfjs.DataType;
export type Values = Float32Array | Int32Array | Uint8Array;

export interface TensorInfo {
  readonly dataId: DataId;
  readonly shape: number[];
  readonly dtype: DType;
}

export interface EngineTensor extends TensorInfo {
  readonly id: number;
  readonly size: number;
  kept: boolean;
  scopeId: number;
  readonly isDisposed: boolean;
  dispose(): void;
}

export interface EngineVariable extends EngineTensor {
  dataId: DataId;
  readonly name: string;
  readonly trainable: boolean;
  assign(value: EngineTensor): void;
}

export type NamedTensors = Record<string, EngineTensor | null | undefined>;
export type GradientMap = Record<string, () => EngineTensor>;

export interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Record<string, EngineTensor>;
  readonly outputs: EngineTensor[];
  readonly saved: EngineTensor[];
  gradient?: (dys: (EngineTensor | null)[]) => GradientMap;
  /** Added by a session: the layer it belongs to; the position in the record where the model gives it no name. */
  layer?: string | number;
}

export interface DataStorage<R> {
  get(dataId: DataId): R;
  set(dataId: DataId, value: R): void;
  has(dataId: DataId): boolean;
  delete(dataId: DataId): boolean;
}

/** The part of a KernelBackend that vdnn calls or overrides. */
export interface EngineBackend {
  readSync(dataId: DataId): Values;
  read(dataId: DataId): Promise<Values>;
  disposeData(dataId: DataId, force?: boolean): boolean;
  move(dataId: DataId, values: Values, shape: number[], dtype: DType, refCount: number): void;
  refCount(dataId: DataId): number;
  incRef(dataId: DataId): void;
  numDataIds(): number;
}

export interface BackendInfo {
  backend: EngineBackend;
  readonly dtype: DType;
  readonly shape: number[];
  readonly bytes: number;
}

export interface Scope {
  readonly id: number;
}

export interface EngineState {
  activeTape: TapeNode[] | null;
  gradientDepth: number;
  kernelDepth: number;
  activeScope: Scope | null;
  readonly scopeStack: Scope[];
  readonly registeredVariables: Record<string, EngineVariable>;
  readonly tensorInfo: WeakMap<DataId, BackendInfo>;
  readonly numTensors: number;
}

/** TF.js's flags. */
export interface Flags {
  getBool(flag: string): boolean;
  getNumber(flag: string): number;
}

export type KernelResult = EngineTensor | EngineTensor[];

/** The engine's methods that a session overrides on the instance; deleting the own property restores the original. */
export interface EngineMethods {
  runKernel(name: string, inputs: NamedTensors, attrs?: object): KernelResult;
  gradients(
    f: () => EngineTensor,
    xs: EngineTensor[],
    dy?: EngineTensor | null,
    allowNoGradients?: boolean,
  ): { value: EngineTensor; grads: (EngineTensor | null)[] };
  addTapeNode(
    kernelName: string,
    inputs: Record<string, EngineTensor>,
    outputs: EngineTensor[],
    gradientsFunc: unknown,
    saved: EngineTensor[],
    attrs: unknown,
  ): void;
  moveData(backend: EngineBackend, dataId: DataId): void;
  makeTensor(values: Values, shape: number[], dtype?: DType, backend?: EngineBackend): EngineTensor;
  readSync(dataId: DataId): Values;
  read(dataId: DataId): Promise<Values>;
  incRef(tensor: EngineTensor, backend: EngineBackend | null): void;
  disposeTensor(tensor: EngineTensor): void;
  keep<T extends EngineTensor>(tensor: T): T;
}

export interface Engine extends EngineMethods {
  readonly ENV: Flags;
  readonly state: EngineState;
  readonly backendName: string;
  /** Throws where none has started. */
  readonly backend: EngineBackend;
  readonly backendInstance: EngineBackend | null;
  /** Backends that have started, by name. */
  readonly registry: Readonly<Record<string, EngineBackend>>;
  readonly registryFactory: Readonly<Record<string, object>>;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  startScope(name?: string): void;
  /** Disposes what was made in the scope, except the tensors in `result`. */
  endScope(result?: unknown): void;
  tidy<T>(nameOrFn: string | (() => T), fn?: () => T): T;
  startTape(): void;
  endTape(): void;
  makeTensorFromTensorInfo(info: TensorInfo, backend?: EngineBackend): EngineTensor;
}

export function engineOf(tf: TensorFlow): Engine {
  return tf.engine() as unknown as Engine;
}

const BYTES_PER_ELEMENT: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, complex64: 8 };

export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** Device bytes of a dense tensor; 0 for strings, which live in JavaScript. */
export function tensorBytes(shape: readonly number[], dtype: DType): number {
  return elementCount(shape) * (BYTES_PER_ELEMENT[dtype] ?? 0);
}

/** True for the types whose bytes can be moved as they are. Complex tensors are pairs and stay. */
export function isMovable(dtype: DType): boolean {
  return dtype === "float32" || dtype === "int32" || dtype === "bool";
}

/** A typed array of the tensor's type over bytes that something else owns. */
export function viewAs(dtype: DType, bytes: Uint8Array): Values {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "float32") return new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4);
  if (dtype === "int32") return new Int32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4);
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

export function isTensor(value: unknown): value is EngineTensor {
  const { dataId, shape } = (value ?? {}) as Partial<EngineTensor>;
  return dataId !== undefined && shape !== undefined;
}

/** The tensors among a kernel's inputs, in order; optional inputs may be absent. */
export function tensorsOf(inputs: NamedTensors): EngineTensor[] {
  const tensors: EngineTensor[] = [];
  for (const name in inputs) {
    const value: unknown = inputs[name];
    if (isTensor(value)) tensors.push(value);
  }
  return tensors;
}

export function isVariable(tensor: object): tensor is EngineVariable {
  return (tensor as Partial<EngineVariable>).trainable !== undefined;
}
