/**
 * What differs per TF.js backend, behind one interface: copy out, copy in, release, adopt. An adapter moves the bytes of one
 * dataId; it keeps no tables and decides nothing.
 */
import type { VdnnError } from "../errors.ts";
import type {
  DataId,
  DataStorage,
  DType,
  EngineBackend,
  NamedTensors,
  TensorFlow,
  TensorInfo,
  Values,
} from "../runtime/engine.ts";

export interface DeviceAdapter {
  /** Name of the TF.js backend. */
  readonly name: string;
  readonly backend: EngineBackend;
  /**
   * The backend's own table of buffers; the ledger listens on its `set` and `delete`. To set the same record once more says that
   * its bytes are others now.
   */
  readonly storage: DataStorage<unknown>;
  /** True when this call only hands its input's dataId on, by reference count: no byte is read or written. */
  passesThrough(kernel: string, input: TensorInfo, attributes: object | undefined): boolean;
  /** True when this call's output will share the buffer of its first input under a dataId of its own. */
  sharesInput(kernel: string, input: TensorInfo, attributes: object | undefined): boolean;

  /**
   * True only for an error by which the backend's own allocator refused a buffer, with the backend as it was before: when
   * something else is released, the same call can be made again.
   */
  isOutOfMemory(error: unknown): boolean;
  /**
   * Bytes of outputs and temporaries that a kernel will ask for, told before it runs for the first time; 0 where all of them are
   * announced anyway (`announce`).
   */
  estimateBytes(kernel: string, inputs: NamedTensors, attributes: object | undefined): number;

  /**
   * Mends the backend for the time of a session: kernels that give the same bits with less memory, an allocator that refuses
   * when it is out of memory. Returns the function that undoes it.
   */
  mend(tf: TensorFlow): () => void;
  /**
   * Calls `before` with the bytes of every output and temporary that a kernel is about to allocate, as far as the backend lets
   * that be seen: then room can be made for a kernel's own temporaries too. Returns the function that ends it.
   */
  announce(before: (bytes: number) => void): () => void;
  /** Shape and type of a record of `storage`, or null for what has no bytes on the device (strings, complex containers). */
  describe(record: unknown): DeviceTensor | null;
  /** Copies the buffer to host memory of exactly its size. It stays on the device. */
  copyOut(dataId: DataId, host: Uint8Array): void;
  /** Creates a device buffer for an absent dataId from host memory. The host memory may be reused when this returns. */
  copyIn(dataId: DataId, host: Uint8Array, shape: number[], dtype: DType, refCount: number): void;
  /** Frees the device buffer whatever its reference count; the dataId becomes absent. Returns the reference count it had. */
  release(dataId: DataId): number;
  /** An absent dataId takes over the buffer of `from`, whose dataId becomes absent instead. */
  adopt(dataId: DataId, from: DataId, shape: number[], dtype: DType, refCount: number): void;
  /** Creates a buffer for an absent dataId that shares the memory of `of`, seen with another shape. */
  alias(dataId: DataId, of: DataId, shape: number[], dtype: DType, refCount: number): void;
  /** What `copyOut` writes is not the tensor's values: who reads them needs the tensor on the device. Default false. */
  readonly copiesAreOpaque?: boolean;
  /** False while the buffer has to stay on the device. Default: none has to. */
  isReleasable?(dataId: DataId): boolean;
  /** Only where the backend keeps freed buffers for later tensors: what is allocated is the adapter's to bound. */
  readonly allocator?: DeviceAllocator;
  /** Only on a backend that cannot block: the session's training calls await. */
  readonly asynchronous?: AsynchronousDevice;
}

export interface DeviceTensor {
  readonly shape: number[];
  readonly dtype: DType;
  /** Bytes on the device, where they are not those of the type. */
  readonly bytes?: number;
}

/** What a session promises to a device whose allocations are the adapter's to bound. */
export interface DeviceBound {
  /** What is allocated stays below this. */
  readonly limitBytes: () => number;
  /** Tensors leave until their bytes are less by at least this. @throws VdnnError `ERR_OUT_OF_MEMORY` when none may */
  readonly release: (bytes: number) => void;
  /** The error of a buffer that the device does not make whatever the budget. */
  readonly tooLarge: (bytes: number, limit: DeviceLimit) => VdnnError;
}

/** The largest buffer that a device makes, by the name that its API has for that. */
export interface DeviceLimit {
  readonly name: string;
  readonly bytes: number;
}

/** A copy to the host that waits in the device's queue. */
export interface QueuedCopy {
  /** Resolves when the device has come to it: every kernel queued before it has run. Never rejects. */
  readonly reached: Promise<void>;
  /** Resolves when `host` holds the bytes. */
  readonly finish: (host: Uint8Array) => Promise<void>;
}

/** What a backend has allocated on the device, with the freed buffers that it keeps. */
export interface DeviceAllocator {
  /** Bytes of the budget that are left to what is no tensor. */
  readonly reservedBytes: number;
  /** Smaller tensors stay where they are. */
  readonly smallestBytes: number;
  /** Allocated on the device now, in use or not; 0 before `bound`. */
  readonly allocatedBytes: number;
  readonly peakAllocatedBytes: number;
  /** Bounds what is allocated from now on; returns the function that ends it. */
  bound(bound: DeviceBound): () => void;
}

/** A device behind a queue: what is asked of it happens later, in order, and is only told by promises. */
export interface AsynchronousDevice {
  /** Queues a copy to the host behind every kernel so far. The device buffer may be released when this returns. */
  queueCopyOut(dataId: DataId): QueuedCopy;
  /** The values of a tensor whose bytes were copied out. May share their memory. */
  decode(host: Uint8Array, dtype: DType): Values;
  /**
   * Resolves when the device has confirmed every allocation so far.
   * @throws VdnnError `ERR_OUT_OF_MEMORY`, `ERR_BACKEND` for what the device refused, once
   */
  confirm(): Promise<void>;
  /** The device is gone, and the data on it. */
  readonly isLost: boolean;
  /** Resolves when everything that was queued has run, or never will. */
  finish(): Promise<void>;
  /**
   * Tells of each batch of kernels that goes to the device, in order, until the returned function is called.
   *
   * @param submitted takes the promise of the batch's end, which never rejects
   */
  watch(submitted: (ended: Promise<void>) => void): () => void;
}

/** What `passesThrough` is on the backends that share buffers by reference count. */
export function passesByReference(kernel: string, input: TensorInfo, attributes: object | undefined): boolean {
  return (
    kernel === "Identity" || kernel === "Reshape" || kernel === "ExpandDims" || isCastToSame(kernel, input, attributes)
  );
}

/** A cast to the type that the tensor has already. */
export function isCastToSame(kernel: string, input: TensorInfo, attributes: { dtype?: DType } | undefined): boolean {
  return kernel === "Cast" && attributes?.dtype === input.dtype;
}
