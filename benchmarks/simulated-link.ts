/**
 * A link between device and host as slow as one likes, behind a WebGPU device whose own copies are too fast to matter. Kernels and
 * their times are the device's own; only copies to the host take longer.
 *
 * Note [Held queue]. A device whose copies run beside compute goes on with what is queued behind a copy. One that awaits each copy
 * does not, and synchronous code cannot await: a forward pass has queued everything before its first copy has ended. So such a
 * device is made here: what is queued behind a copy is held until the copy has arrived, and then handed on in order.
 *
 *     beside   kernels │ kernels │ kernels       held   kernels │      │ kernels │      │ kernels
 *     link             │ copy    │ copy          link           │ copy │         │ copy │
 */

interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number): Promise<void>;
  destroy(): void;
}

interface GpuQueue {
  submit(commands: readonly object[]): void;
  writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBuffer, dataOffset?: number, bytes?: number): void;
  onSubmittedWorkDone(): Promise<void>;
}

interface GpuEncoder {
  copyBufferToBuffer(...args: readonly [GpuBuffer, number, GpuBuffer, number, number]): void;
  finish(): object;
}

interface WebGpuScope {
  readonly GPUBuffer: { readonly prototype: GpuBuffer };
  readonly GPUQueue: { readonly prototype: GpuQueue };
  readonly GPUCommandEncoder: { readonly prototype: GpuEncoder };
  readonly GPUBufferUsage: { readonly MAP_READ: number };
  readonly GPUMapMode: { readonly READ: number };
}

/** What passed the link. */
export interface LinkUse {
  readonly bytes: number;
  /** While it was busy, ms. */
  readonly busyMs: number;
}

export class SimulatedLink {
  /** Infinity: copies take as long as the device takes for them. */
  gigabytesPerSecond = Number.POSITIVE_INFINITY;
  /** What is queued behind a copy waits until the copy has arrived: Note [Held queue]. */
  awaitsEachCopy = false;
  #freeAt = 0;
  #bytes = 0;
  #busyMs = 0;
  #isHeld = false;
  readonly #held: (() => void)[] = [];
  /** By the buffer that the host maps. */
  readonly #arrivals = new WeakMap<GpuBuffer, Promise<void>>();

  /** What passed since this was asked last. */
  takeUse(): LinkUse {
    const use = { bytes: this.#bytes, busyMs: this.#busyMs };
    this.#bytes = 0;
    this.#busyMs = 0;
    return use;
  }

  /** Goes behind every device of this process, for good. */
  install(): void {
    const { GPUBuffer, GPUQueue, GPUCommandEncoder, GPUBufferUsage, GPUMapMode } = globalThis as unknown as WebGpuScope;
    const buffers = { ...methods(GPUBuffer.prototype, "mapAsync", "destroy") };
    const queues = { ...methods(GPUQueue.prototype, "submit", "writeBuffer", "onSubmittedWorkDone") };
    const encoders = { ...methods(GPUCommandEncoder.prototype, "copyBufferToBuffer", "finish") };
    const inOrder = (work: () => void): void => this.#inOrder(work);
    const arrivalOf = (target: GpuBuffer): Promise<void> | undefined => this.#arrivals.get(target);
    const copyOf = (target: GpuBuffer, submit: () => void): void => {
      const copy = (): Promise<void> => {
        submit();
        return this.#carry(buffers.mapAsync.call(target, GPUMapMode.READ), target.size);
      };
      this.#arrivals.set(target, this.#later(copy));
    };
    const later = (work: () => Promise<void>): Promise<void> => this.#later(work);
    const isHeld = (): boolean => this.#isHeld;
    /** The host's buffers that commands copy to, by what the commands are recorded in. */
    const targets = new WeakMap<object, GpuBuffer>();

    GPUCommandEncoder.prototype.copyBufferToBuffer = function copyBufferToBuffer(...args) {
      encoders.copyBufferToBuffer.apply(this, args);
      const [, , target] = args;
      if (((target as GpuBuffer & { usage: number }).usage & GPUBufferUsage.MAP_READ) !== 0) targets.set(this, target);
    };
    GPUCommandEncoder.prototype.finish = function finish() {
      const commands = encoders.finish.call(this);
      const target = targets.get(this);
      if (target !== undefined) targets.set(commands, target);
      return commands;
    };
    GPUQueue.prototype.submit = function submit(commands) {
      const target = commands.map((each) => targets.get(each)).find((each) => each !== undefined);
      const now = (): void => queues.submit.call(this, commands);
      if (target === undefined) inOrder(now);
      else copyOf(target, now);
    };
    GPUQueue.prototype.writeBuffer = function writeBuffer(
      buffer,
      offset,
      data,
      dataOffset = 0,
      bytes = data.byteLength,
    ) {
      // The caller may write over its memory when this returns.
      const [from, start] = isHeld() ? [data.slice(dataOffset, dataOffset + bytes), 0] : [data, dataOffset];
      inOrder(() => queues.writeBuffer.call(this, buffer, offset, from, start, bytes));
    };
    GPUQueue.prototype.onSubmittedWorkDone = function onSubmittedWorkDone() {
      return later(() => queues.onSubmittedWorkDone.call(this));
    };
    GPUBuffer.prototype.mapAsync = function mapAsync(mode) {
      return arrivalOf(this) ?? buffers.mapAsync.call(this, mode);
    };
    GPUBuffer.prototype.destroy = function destroy() {
      inOrder(() => buffers.destroy.call(this));
    };
  }

  /** Now, or when everything that is held has gone before it. */
  #inOrder(work: () => void): void {
    if (this.#isHeld) this.#held.push(work);
    else work();
  }

  /** The same for work that ends later. */
  async #later(work: () => Promise<void>): Promise<void> {
    let begun: Promise<void> | undefined;
    await new Promise<void>((turn) => {
      this.#inOrder(() => {
        begun = work();
        turn();
      });
    });
    await begun;
  }

  /** Copies pass one after the other, each when the device has made it. */
  async #carry(copied: Promise<void>, bytes: number): Promise<void> {
    const holds = this.awaitsEachCopy;
    if (holds) this.#isHeld = true;
    try {
      await copied;
      const now = performance.now();
      const ms = bytes / (this.gigabytesPerSecond * 1e6);
      this.#freeAt = Math.max(now, this.#freeAt) + ms;
      this.#bytes += bytes;
      this.#busyMs += ms;
      if (this.#freeAt > now) await new Promise((arrived) => setTimeout(arrived, this.#freeAt - now));
    } finally {
      if (holds) this.#release();
    }
  }

  #release(): void {
    this.#isHeld = false;
    while (!this.#isHeld) {
      const work = this.#held.shift();
      if (work === undefined) return;
      work();
    }
  }
}

/** The methods as they are, before others take their places. */
function methods<T, K extends keyof T>(prototype: T, ...names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, prototype[name]])) as unknown as Pick<T, K>;
}
