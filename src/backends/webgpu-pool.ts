/**
 * Device memory under a limit. TF.js's WebGPU backend keeps every freed buffer for the next tensor of exactly its size, so what
 * is allocated only grows. Here nothing is allocated that would exceed the limit: pooled buffers of other sizes are destroyed
 * first, the size unused longest ago before others; then the command queue is submitted, which frees what only waited for that;
 * then tensors leave.
 *
 * A buffer from the pool is reused in the order of the queue, so it costs no memory whatever the device is doing. A destroyed
 * one is gone for the API at once, for the driver when the queue has passed its last use.
 *
 * Invariant: `allocatedBytes` is the size of all buffers that the backend has on the device and that were not destroyed.
 * Buffers that the processor can map are host memory and not counted.
 */
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import type { DeviceBound, DeviceLimit } from "./adapter.ts";
import {
  type BufferManager,
  type GpuBuffer,
  type GpuError,
  isMappable,
  submit,
  USAGE,
  type WebGpuBackend,
} from "./webgpu-device.ts";

export class WebGpuPool {
  readonly #backend: WebGpuBackend;
  readonly #bound: DeviceBound;
  readonly #stock: Pick<BufferManager, "acquireBuffer" | "releaseBuffer">;
  readonly #lastUse = new Map<string, number>();
  readonly #refused = new WeakSet<GpuBuffer>();
  /** Answers of the device to allocations, still on their way. */
  readonly #answers = new Set<Promise<void>>();
  #failure: VdnnError | null = null;
  #isLost = false;
  #allocatedBytes: number;
  #peakBytes: number;
  #ticks = 0;

  constructor(backend: WebGpuBackend, bound: DeviceBound) {
    this.#backend = backend;
    this.#bound = bound;
    const { bufferManager } = backend;
    this.#stock = {
      acquireBuffer: bufferManager.acquireBuffer.bind(bufferManager),
      releaseBuffer: bufferManager.releaseBuffer.bind(bufferManager),
    };
    this.#allocatedBytes = onDevice(bufferManager.usedBuffers) + onDevice(bufferManager.freeBuffers);
    this.#peakBytes = this.#allocatedBytes;
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** The most that was allocated since the session began. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** The device is gone. It stays so. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Starts watching the backend's buffers and the device's errors. */
  install(): void {
    const { bufferManager, device } = this.#backend;
    bufferManager.acquireBuffer = (bytes, usage, mapped, reuse) => this.#acquire(bytes, usage, mapped, reuse);
    bufferManager.releaseBuffer = (buffer, reuse) => this.#release(buffer, reuse);
    device.addEventListener("uncapturederror", this.#uncaptured);
    void device.lost.then(({ reason, message }) => {
      this.#isLost = true;
      this.#failure = new VdnnError(
        "ERR_BACKEND",
        `the WebGPU device was lost (${reason ?? "unknown"}): ${message ?? ""}; its tensors are gone: set the backend up again, ` +
          "with a lower device budget if it was memory that ran out",
        { backend: "webgpu", reason },
      );
    });
    this.#trim(0);
  }

  uninstall(): void {
    const { bufferManager, device } = this.#backend;
    for (const name of ["releaseBuffer", "acquireBuffer"]) Reflect.deleteProperty(bufferManager, name);
    device.removeEventListener("uncapturederror", this.#uncaptured);
  }

  /**
   * Resolves when the device has confirmed every allocation so far. A failure is told once, so that training can go on after it.
   *
   * @throws VdnnError `ERR_OUT_OF_MEMORY` when it refused one, `ERR_BACKEND` when it was lost or a command was invalid
   */
  async confirm(): Promise<void> {
    while (this.#answers.size > 0) await Promise.all(this.#answers);
    const failure = this.#failure;
    if (failure === null) return;
    if (!this.#isLost) this.#failure = null;
    throw failure;
  }

  #acquire(bytes: number, usage: number, mapped?: boolean, reuse = true): GpuBuffer {
    if (isMappable(usage)) return this.#stock.acquireBuffer(bytes, usage, mapped, reuse);
    const limit = this.#limitOf(usage);
    if (bytes > limit.bytes) throw this.#bound.tooLarge(bytes, limit);
    const key = `${bytes}_${usage}`;
    this.#lastUse.set(key, ++this.#ticks);
    if (reuse && this.#hasFree(key)) return this.#stock.acquireBuffer(bytes, usage, mapped, reuse);
    this.#trim(bytes);
    if (this.#exceeds(bytes)) {
      submit(this.#backend);
      if (reuse && this.#hasFree(key)) return this.#stock.acquireBuffer(bytes, usage, mapped, reuse);
      this.#trim(bytes);
    }
    while (this.#exceeds(bytes)) {
      this.#bound.release(this.#allocatedBytes + bytes - this.#bound.limitBytes());
      submit(this.#backend);
      this.#trim(bytes);
    }
    return this.#allocate(bytes, usage, mapped, reuse);
  }

  /** Beyond it the device only reports a validation error, after the kernel. */
  #limitOf(usage: number): DeviceLimit {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#backend.device.limits;
    return (usage & USAGE.storage) !== 0 && maxStorageBufferBindingSize < maxBufferSize
      ? { name: "maxStorageBufferBindingSize", bytes: maxStorageBufferBindingSize }
      : { name: "maxBufferSize", bytes: maxBufferSize };
  }

  #exceeds(bytes: number): boolean {
    return this.#allocatedBytes + bytes > this.#bound.limitBytes();
  }

  #hasFree(key: string): boolean {
    return (this.#backend.bufferManager.freeBuffers.get(key)?.length ?? 0) > 0;
  }

  #allocate(bytes: number, usage: number, mapped: boolean | undefined, reuse: boolean): GpuBuffer {
    const { device } = this.#backend;
    device.pushErrorScope("out-of-memory");
    let buffer: GpuBuffer | undefined;
    try {
      buffer = this.#stock.acquireBuffer(bytes, usage, mapped, reuse);
    } finally {
      this.#await(device.popErrorScope(), buffer, bytes);
    }
    this.#allocatedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
    return buffer;
  }

  #await(answer: Promise<GpuError | null>, buffer: GpuBuffer | undefined, bytes: number): void {
    const settled = answer
      .then((error) => {
        if (error === null) return;
        if (buffer !== undefined) this.#refused.add(buffer);
        this.#failure ??= refusal(bytes, this.#allocatedBytes, error);
      })
      // The device is gone; `lost` tells.
      .catch(() => undefined)
      .finally(() => this.#answers.delete(settled));
    this.#answers.add(settled);
  }

  #release(buffer: GpuBuffer, reuse = true): void {
    const keeps = reuse && !this.#refused.has(buffer);
    this.#stock.releaseBuffer(buffer, keeps);
    if (!keeps && !isMappable(buffer.usage)) this.#allocatedBytes -= buffer.size;
  }

  /** Destroys pooled buffers until `bytes` more fit, or the pool is empty. */
  #trim(bytes: number): void {
    const { freeBuffers } = this.#backend.bufferManager;
    if (!this.#exceeds(bytes)) return;
    const age = ([key]: readonly [string, unknown]): number => this.#lastUse.get(key) ?? 0;
    for (const [, buffers] of [...freeBuffers].toSorted((a, b) => age(a) - age(b))) {
      for (;;) {
        const buffer = buffers.at(-1);
        if (buffer === undefined || isMappable(buffer.usage)) break;
        buffers.pop();
        this.#destroy(buffer);
        if (!this.#exceeds(bytes)) return;
      }
    }
  }

  #destroy(buffer: GpuBuffer): void {
    const { bufferManager } = this.#backend;
    buffer.destroy();
    bufferManager.numFreeBuffers--;
    bufferManager.numBytesAllocated -= buffer.size;
    this.#allocatedBytes -= buffer.size;
  }

  /** Commands that used a refused buffer are invalid, and are reported after the refusal itself. */
  readonly #uncaptured = ({ error }: { readonly error: GpuError }): void => {
    this.#failure ??= /memory/i.test(error.constructor.name)
      ? refusal(undefined, this.#allocatedBytes, error)
      : new VdnnError(
          "ERR_BACKEND",
          `the WebGPU device reported an error: ${error.message}`,
          { backend: "webgpu" },
          { cause: error },
        );
  };
}

function refusal(bytes: number | undefined, allocatedBytes: number, cause: GpuError): VdnnError {
  const what = bytes === undefined ? "an allocation" : formatBytes(bytes);
  return new VdnnError(
    "ERR_OUT_OF_MEMORY",
    `the WebGPU device refused ${what} with ${formatBytes(allocatedBytes)} allocated; give the session a deviceMemory below that, ` +
      "or lower the batch size",
    { neededBytes: bytes, allocatedBytes, remedies: ["lower deviceMemory", "lower the batch size"] },
    { cause },
  );
}

function onDevice(buffers: ReadonlyMap<string, readonly GpuBuffer[]>): number {
  let bytes = 0;
  for (const list of buffers.values()) for (const { size, usage } of list) if (!isMappable(usage)) bytes += size;
  return bytes;
}
