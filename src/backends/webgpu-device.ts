/**
 * The part of WebGPU, and of TF.js's WebGPU backend (4.22), that vdnn touches. The ES libraries of TypeScript do not declare
 * WebGPU, and the backend's members are private in its own types.
 */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { DataId, DataStorage, DType, EngineBackend, TensorInfo, Values } from "../runtime/engine.ts";

/** `GPUBufferUsage`, which is in the global scope only where there is WebGPU. */
export const USAGE = {
  mapRead: 0x1,
  mapWrite: 0x2,
  copySource: 0x4,
  copyTarget: 0x8,
  storage: 0x80,
} as const;
const MAP_MODE_READ = 0x1;

export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuError {
  readonly message: string;
}

export interface GpuDevice {
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
  readonly queue: {
    writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBuffer, dataOffset: number, bytes: number): void;
    onSubmittedWorkDone(): Promise<void>;
  };
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  pushErrorScope(filter: "out-of-memory" | "validation" | "internal"): void;
  popErrorScope(): Promise<GpuError | null>;
  addEventListener(type: "uncapturederror", listener: (event: { readonly error: GpuError }) => void): void;
  removeEventListener(type: "uncapturederror", listener: (event: { readonly error: GpuError }) => void): void;
}

/** TF.js's pool: freed buffers wait by exact size and usage, and are never given back. */
export interface BufferManager {
  acquireBuffer(bytes: number, usage: number, mapped?: boolean, reuse?: boolean): GpuBuffer;
  releaseBuffer(buffer: GpuBuffer, reuse?: boolean): void;
  /** By `size_usage`. */
  readonly freeBuffers: Map<string, GpuBuffer[]>;
  readonly usedBuffers: Map<string, GpuBuffer[]>;
  numFreeBuffers: number;
  numBytesAllocated: number;
}

export interface WebGpuRecord {
  readonly dtype: DType;
  readonly shape: number[];
  /** Data that was not uploaded yet, or never will be: the backend runs small kernels on the processor. */
  readonly values?: Values | readonly number[] | null | undefined;
  readonly resource?: object | null;
  readonly complexTensorInfos?: unknown;
  readonly external?: boolean;
  refCount: number;
}

export interface WebGpuBackend extends EngineBackend {
  readonly device: GpuDevice;
  readonly bufferManager: BufferManager;
  readonly tensorMap: DataStorage<WebGpuRecord>;
  readonly commandEncoder: { copyBufferToBuffer(...args: readonly unknown[]): void } | null;
  /** Data that a command refers to which is recorded and not submitted. */
  readonly commandQueueOwnedIds: WeakSet<DataId>;
  /** Buffers that return to the pool at the next submit. */
  readonly uniformPendingDisposal: GpuBuffer[];
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  makeTensorInfo(shape: number[], dtype: DType, values?: unknown): TensorInfo;
}

/** Elements are 4 bytes on this backend, booleans too. */
export const ELEMENT_BYTES = 4;

export function isMappable(usage: number): boolean {
  return (usage & (USAGE.mapRead | USAGE.mapWrite)) !== 0;
}

/** Hands every recorded command to the device; what they refer to may be released then. */
export function submit(backend: WebGpuBackend): void {
  backend.endComputePassEncoder();
  if (backend.commandEncoder !== null) backend.submitQueue();
}

/** Resolves when the device has run every command so far, or was lost. */
export function passed(backend: WebGpuBackend): Promise<void> {
  submit(backend);
  return settled(backend.device.queue.onSubmittedWorkDone());
}

/** Resolves with `work`, however that ends. */
export function settled(work: Promise<void>): Promise<void> {
  return work.catch(() => undefined);
}

/** Queues a copy of a buffer into a staging buffer, behind every command so far. `source` may be released when this returns. */
export function stage(backend: WebGpuBackend, source: GpuBuffer, bytes: number): GpuBuffer {
  const staging = backend.device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyTarget });
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder?.copyBufferToBuffer(source, 0, staging, 0, bytes);
  backend.submitQueue();
  return staging;
}

/**
 * Waits for a staged copy and gives the staging buffer back.
 *
 * @throws VdnnError `ERR_BACKEND` when the device was lost meanwhile
 */
export async function unstage<T>(staging: GpuBuffer, read: (mapped: ArrayBuffer) => T): Promise<T> {
  try {
    await staging.mapAsync(MAP_MODE_READ);
    return read(staging.getMappedRange());
  } catch (cause) {
    throw new VdnnError(
      "ERR_BACKEND",
      `${formatBytes(staging.size)} did not come from the WebGPU device to the host: the device was lost, or an earlier ` +
        "allocation failed",
      { backend: "webgpu", bytes: staging.size },
      { cause },
    );
  } finally {
    staging.destroy();
  }
}
