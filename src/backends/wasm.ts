/**
 * The `wasm` backend: device memory is the heap of the WebAssembly module (4 GiB at most), copies are memory copies on the
 * calling thread. Kernels keep a numeric id per buffer, so a buffer changes its dataId by moving its record.
 */
import { type DataId, type DataStorage, type DType, type EngineBackend, viewAs } from "../runtime/engine.ts";
import type { DeviceAdapter } from "./adapter.ts";

interface WasmRecord {
  readonly memoryOffset: number | null;
  readonly shape: number[];
  readonly dtype: DType;
  refCount: number;
}

interface WasmBackend extends EngineBackend {
  readonly dataIdMap: DataStorage<WasmRecord>;
  readonly wasm: { readonly HEAPU8: Uint8Array };
}

export function wasmAdapter(engineBackend: EngineBackend): DeviceAdapter {
  const backend = engineBackend as WasmBackend;
  const storage = backend.dataIdMap;
  return {
    name: "wasm",
    backend,
    storage: storage as DataStorage<unknown>,
    sharesInput: () => false,
    describe(record) {
      const { memoryOffset, shape, dtype } = record as WasmRecord;
      return memoryOffset === null ? null : { shape, dtype };
    },
    copyOut(dataId, host) {
      const offset = storage.get(dataId).memoryOffset ?? 0;
      host.set(backend.wasm.HEAPU8.subarray(offset, offset + host.byteLength));
    },
    copyIn(dataId, host, shape, dtype, refCount) {
      backend.move(dataId, viewAs(dtype, host), shape, dtype, refCount);
    },
    release(dataId) {
      const { refCount } = storage.get(dataId);
      backend.disposeData(dataId, true);
      return refCount;
    },
    adopt(dataId: DataId, from: DataId, shape: number[], dtype: DType, refCount: number) {
      const record = storage.get(from);
      storage.delete(from);
      storage.set(dataId, { ...record, shape, dtype, refCount });
    },
    alias() {
      throw new Error("wasm shares buffers under one dataId");
    },
  };
}
