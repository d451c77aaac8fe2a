/**
 * The `cpu` backend: buffers are JavaScript arrays. There is no device to save memory on, and arrays are freed by the garbage
 * collector; it is the reference that tests compare against, with the same residency and ledger as everywhere.
 */
import { type DataStorage, type DType, type EngineBackend, viewAs } from "../runtime/engine.ts";
import { type DeviceAdapter, passesByReference } from "./adapter.ts";
import { estimateBytes } from "./estimate.ts";

interface CpuRecord {
  readonly values: Float32Array | Int32Array | Uint8Array | string[] | null;
  readonly dtype: DType;
  readonly complexTensorInfos?: unknown;
  refCount: number;
}

interface CpuBackend extends EngineBackend {
  readonly data: DataStorage<CpuRecord>;
}

export function cpuAdapter(engineBackend: EngineBackend): DeviceAdapter {
  const backend = engineBackend as CpuBackend;
  const storage = backend.data;
  return {
    name: "cpu",
    backend,
    storage,
    sharesInput: () => false,
    estimateBytes,
    isOutOfMemory: () => false,
    passesThrough: passesByReference,
    mend: () => () => undefined,
    announce: () => () => undefined,
    describe(record) {
      const { values, dtype, complexTensorInfos } = record as CpuRecord;
      if (values === null || complexTensorInfos !== undefined || dtype === "string") return null;
      return { shape: [values.length], dtype };
    },
    copyOut(dataId, host) {
      const values = storage.get(dataId).values as Float32Array | Int32Array | Uint8Array | readonly number[];
      // Some kernels leave a plain array or bytes of another type in the record; the tensor's type decides.
      viewAs(storage.get(dataId).dtype, host).set(values);
    },
    copyIn(dataId, host, shape, dtype, refCount) {
      backend.move(dataId, viewAs(dtype, host.slice()), shape, dtype, refCount);
    },
    release(dataId) {
      const { refCount } = storage.get(dataId);
      backend.disposeData(dataId, true);
      return refCount;
    },
    adopt(dataId, from, _shape, dtype, refCount) {
      const record = storage.get(from);
      storage.delete(from);
      storage.set(dataId, { ...record, dtype, refCount });
    },
    alias() {
      throw new Error("cpu shares buffers under one dataId");
    },
  };
}
