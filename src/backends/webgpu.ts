/**
 * The `webgpu` backend (Dawn in Node.js, or the browser's own). It cannot block: a copy to the host is queued behind the
 * kernels, into a staging buffer that the processor can map, and its end is a promise. The device buffer may be released as soon
 * as the copy is submitted, so even a synchronous forward pass can send data away; it only cannot call it back.
 */
import { type DataId, type DType, elementCount, type EngineBackend, type Values, viewAs } from "../runtime/engine.ts";
import { type DeviceAdapter, passesByReference } from "./adapter.ts";
import { override } from "./override.ts";
import {
  ELEMENT_BYTES,
  type GpuBuffer,
  passed,
  settled,
  stage,
  unstage,
  USAGE,
  type WebGpuBackend,
  type WebGpuRecord,
} from "./webgpu-device.ts";
import { WebGpuPool } from "./webgpu-pool.ts";

/**
 * TF.js runs kernels on the processor while all inputs have fewer elements than this and were never uploaded. Such tensors stay
 * where they are: elsewhere their kernels would run elsewhere, and give other bits.
 */
const PROCESSOR_ELEMENTS = 1000;
/** Uniforms of the kernels that are recorded and not submitted: at most 16 at a time. */
const UNIFORM_BYTES = 4096;
const TENSOR_USAGE = USAGE.storage | USAGE.copySource | USAGE.copyTarget;

export function webgpuAdapter(engineBackend: EngineBackend): DeviceAdapter {
  const backend = engineBackend as WebGpuBackend;
  const storage = backend.tensorMap;
  let pool: WebGpuPool | null = null;
  /** `writeBuffer` does not take shared memory. It has copied the bytes when it returns. */
  let scratch = new Uint8Array(0);

  const upload = (host: Uint8Array): GpuBuffer => {
    const buffer = backend.bufferManager.acquireBuffer(host.byteLength, TENSOR_USAGE);
    const { queue } = backend.device;
    if (host.buffer instanceof ArrayBuffer) {
      queue.writeBuffer(buffer, 0, host.buffer, host.byteOffset, host.byteLength);
      return buffer;
    }
    if (scratch.byteLength < host.byteLength) scratch = new Uint8Array(host.byteLength);
    scratch.set(host);
    queue.writeBuffer(buffer, 0, scratch.buffer, 0, host.byteLength);
    return buffer;
  };

  return {
    name: "webgpu",
    backend,
    storage,
    sharesInput: () => false,
    estimateBytes: () => 0,
    // A buffer that is made mapped is refused at once; others are refused by a promise (`confirm`).
    isOutOfMemory: (error) => error instanceof RangeError && /createBuffer/.test(error.message),
    passesThrough: passesByReference,
    mend: () => {
      const undo = [releaseAtOnce(backend), readWithoutKeeping(backend)];
      return () => undo.forEach((restore) => restore());
    },
    announce: (before) =>
      override(backend, "makeTensorInfo", (stock) => (shape, dtype, values) => {
        if (dtype !== "string" && dtype !== "complex64") before(elementCount(shape) * ELEMENT_BYTES);
        return stock(shape, dtype, values);
      }),
    describe(record) {
      const { dtype, shape, external } = record as WebGpuRecord;
      if (dtype === "string" || dtype === "complex64" || external === true) return null;
      return { shape, dtype, bytes: elementCount(shape) * ELEMENT_BYTES };
    },
    copyOut(dataId, host) {
      const { values, dtype } = storage.get(dataId);
      if ((values ?? null) === null) throw new Error(`${dtype} data on a WebGPU device cannot be read without waiting`);
      elements(dtype, host).set(values as Values);
    },
    copyIn(dataId, host, shape, dtype, refCount) {
      storage.set(dataId, { dtype, shape, values: null, resource: upload(host), refCount });
    },
    release(dataId) {
      const record = storage.get(dataId);
      storage.delete(dataId);
      retire(backend, dataId, record);
      return record.refCount;
    },
    adopt(dataId, from, shape, dtype, refCount) {
      const record = storage.get(from);
      storage.delete(from);
      storage.set(dataId, { ...record, shape, dtype, refCount });
      if (backend.commandQueueOwnedIds.delete(from)) backend.commandQueueOwnedIds.add(dataId);
    },
    alias() {
      throw new Error("webgpu shares buffers under one dataId");
    },
    allocator: {
      reservedBytes: UNIFORM_BYTES,
      smallestBytes: PROCESSOR_ELEMENTS * ELEMENT_BYTES,
      get allocatedBytes() {
        return pool?.allocatedBytes ?? 0;
      },
      get peakAllocatedBytes() {
        return pool?.peakBytes ?? 0;
      },
      bound(limits) {
        const mine = new WebGpuPool(backend, limits);
        mine.install();
        pool = mine;
        return () => mine.uninstall();
      },
    },
    asynchronous: {
      queueCopyOut(dataId) {
        const { resource, values, dtype } = storage.get(dataId);
        if ((resource ?? null) === null) {
          return { reached: Promise.resolve(), finish: async (host) => elements(dtype, host).set(values ?? []) };
        }
        const source = resource as GpuBuffer;
        // Before the copy is submitted, so that the end of the kernels is told apart from its own.
        const reached = passed(backend);
        const staging = stage(backend, source, source.size);
        return { reached, finish: (host) => unstage(staging, (mapped) => host.set(new Uint8Array(mapped))) };
      },
      decode: (host, dtype) => decode(dtype, host),
      get isLost() {
        return pool?.isLost ?? false;
      },
      confirm: () => pool?.confirm() ?? Promise.resolve(),
      finish: () => passed(backend),
      watch: (submitted) =>
        override(backend, "submitQueue", (stock) => () => {
          stock();
          submitted(settled(backend.device.queue.onSubmittedWorkDone()));
        }),
    },
  };
}

/** The elements of a tensor as they lie on the device. */
function elements(dtype: DType, host: Uint8Array): Values {
  return viewAs(dtype === "bool" ? "int32" : dtype, host);
}

/** The values of a tensor as the program reads them. */
function decode(dtype: DType, host: Uint8Array): Values {
  return dtype === "bool" ? Uint8Array.from(elements(dtype, host)) : viewAs(dtype, host);
}

/** Returns a tensor's buffer to the pool: at once, or at the next submit if a recorded command refers to it. */
function retire(backend: WebGpuBackend, dataId: DataId, { resource }: WebGpuRecord): void {
  const isRecorded = backend.commandQueueOwnedIds.delete(dataId);
  if ((resource ?? null) === null) return;
  if (isRecorded) backend.uniformPendingDisposal.push(resource as GpuBuffer);
  else backend.bufferManager.releaseBuffer(resource as GpuBuffer);
}

/**
 * Stock TF.js keeps the record of a disposed tensor until the next submit when a recorded command refers to it, and a dataId that
 * comes back meanwhile would lose its new record then. Only the buffer has to wait.
 */
function releaseAtOnce(backend: WebGpuBackend): () => void {
  return override(backend, "disposeData", (stock) => (dataId, force = false) => {
    const storage = backend.tensorMap;
    if (!storage.has(dataId)) return true;
    const record = storage.get(dataId);
    const { complexTensorInfos, external, resource } = record;
    const isBuffer = (resource ?? null) === null || (resource as Partial<GpuBuffer>).getMappedRange !== undefined;
    if ((complexTensorInfos ?? null) !== null || external === true || !isBuffer) return stock(dataId, force);
    record.refCount = force ? 0 : record.refCount - 1;
    if (record.refCount > 0) return false;
    storage.delete(dataId);
    retire(backend, dataId, record);
    return true;
  });
}

/** Stock TF.js keeps what the program reads on the host too, as long as the tensor lives. */
function readWithoutKeeping(backend: WebGpuBackend): () => void {
  return override(backend, "read", (stock) => async (dataId) => {
    const record = backend.tensorMap.get(dataId);
    const { resource, values, dtype } = record;
    if ((values ?? null) !== null || (resource ?? null) === null || dtype === "complex64") return stock(dataId);
    const source = resource as GpuBuffer;
    const bytes = await unstage(stage(backend, source, source.size), (mapped) => new Uint8Array(mapped.slice(0)));
    return decode(dtype, bytes);
  });
}
