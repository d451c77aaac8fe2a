/**
 * The `wasm` backend: device memory is the heap of the WebAssembly module (4 GiB at most), copies are memory copies on the
 * calling thread. Kernels keep a numeric id per buffer, so a buffer changes its dataId by moving its record.
 */
import {
  type DataId,
  type DataStorage,
  type DType,
  type EngineBackend,
  type TensorFlow,
  tensorBytes,
  type TensorInfo,
  viewAs,
} from "../runtime/engine.ts";
import { type DeviceAdapter, isCastToSame, passesByReference } from "./adapter.ts";
import { estimateBytes } from "./estimate.ts";
import { overrideKernels } from "./kernel-overrides.ts";
import { override } from "./override.ts";

interface WasmRecord {
  readonly memoryOffset: number | null;
  readonly shape: number[];
  readonly dtype: DType;
  refCount: number;
}

interface WasmBackend extends EngineBackend {
  /** Every kernel makes its outputs with it. Without an offset it allocates. */
  makeOutput(shape: number[], dtype: DType, memoryOffset?: number | null, values?: unknown): TensorInfo;
  readonly dataIdMap: DataStorage<WasmRecord>;
  readonly wasm: { readonly HEAPU8: Uint8Array; _malloc: (this: void, bytes: number) => number };
}

export function wasmAdapter(engineBackend: EngineBackend): DeviceAdapter {
  const backend = engineBackend as WasmBackend;
  const storage = backend.dataIdMap;
  return {
    name: "wasm",
    backend,
    storage,
    sharesInput: () => false,
    estimateBytes,
    isOutOfMemory: (error) => error instanceof HeapFull,
    passesThrough: passesByReference,
    mend(tf) {
      const undo = [shareByReference(tf), refuseWhenFull(backend)];
      return () => undo.forEach((restore) => restore());
    },
    announce: (before) =>
      override(backend, "makeOutput", (stock) => (shape, dtype, memoryOffset, values) => {
        if ((memoryOffset ?? null) === null) before(tensorBytes(shape, dtype));
        return stock(shape, dtype, memoryOffset, values);
      }),
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

class HeapFull extends Error {}

/**
 * TF.js does not look at what malloc returns: a tensor that the full heap refused lies at address 0, over the module's own data,
 * and what a later kernel reports ("Aborted()", "memory access out of bounds") is a heap that is broken already. An error at
 * the refusal leaves it whole.
 */
function refuseWhenFull({ wasm }: WasmBackend): () => void {
  const stock = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = stock(bytes);
    if (address === 0 && bytes > 0) {
      throw new HeapFull(`the WebAssembly heap has no ${bytes} bytes left; it ends at 4 GiB`);
    }
    return address;
  };
  return () => {
    wasm._malloc = stock;
  };
}

/**
 * The backend's Identity copies, and so does its Cast to the type that is there already: every tensor saved for
 * backpropagation takes its memory twice. Buffers are never written after the kernel that made them (Reshape shares them by
 * reference count as well), so these two can do the same.
 */
function shareByReference(tf: TensorFlow): () => void {
  return overrideKernels(tf, "wasm", ["Identity", "Cast"], (stock, kernelName) => (call) => {
    const { inputs, attrs, backend } = call;
    const { dataId, shape, dtype } = inputs["x"] as TensorInfo;
    if (dtype === "string" || (kernelName === "Cast" && !isCastToSame(kernelName, inputs["x"] as TensorInfo, attrs))) {
      return stock(call);
    }
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  });
}
