/**
 * The times of one iteration's kernels on a WebGPU device. A kernel call only queues programs, so the clock looks at the device:
 *
 *     thread   kernel 1  kernel 2 │ waits …                │ read
 *     device       ├─ pass 1 ─┤ ├─ pass 2 ─┤ ├─ copy ─┤
 *     busy         ├─────── batch ─────────┤
 *
 * Each kernel gets a compute pass of its own, at whose ends the device writes timestamps, where it has the feature for that. The
 * batches in which passes are handed over tell how long the device was busy with all of them, with what lies between passes.
 */
import type { Graph } from "../graph/graph.ts";
import type { DeviceClock } from "./adapter.ts";
import { deviceTimes } from "./device-times.ts";
import { override } from "./override.ts";
import {
  type GpuCommandEncoder,
  type GpuQuerySet,
  passed,
  settled,
  stage,
  submit,
  unstage,
  USAGE,
  type WebGpuBackend,
} from "./webgpu-device.ts";
import type { WebGpuPool } from "./webgpu-pool.ts";

/** The most that a query set has, two for each pass. An iteration with more passes is timed as a whole. */
const TIMESTAMPS = 4096;
const TIMESTAMP_BYTES = 8;

export class WebGpuClock implements DeviceClock {
  readonly #backend: WebGpuBackend;
  readonly #pool: WebGpuPool | null;
  readonly #now: () => number;
  readonly #undo: (() => void)[] = [];
  #querySet: GpuQuerySet | null = null;
  #encoder: GpuCommandEncoder | null = null;
  /** Whose programs run now; -1 for nobody's. */
  #kernel = -1;
  #reached = 0;
  /** Of each kernel, how often it ran on the device. */
  readonly #runs: number[] = [];
  /** Of each pass, the kernel that ran in it. */
  readonly #passes: number[] = [];
  #isNewRun = false;
  /** Passes that are recorded and not handed over. */
  #recorded = 0;
  #busyMs = 0;
  #endedMs = 0;

  /** @param now clock in ms */
  constructor(backend: WebGpuBackend, pool: WebGpuPool | null, now: () => number) {
    this.#backend = backend;
    this.#pool = pool;
    this.#now = now;
  }

  at(kernel: number): void {
    if (this.#undo.length === 0) this.#start();
    this.#backend.endComputePassEncoder();
    this.#kernel = kernel;
    this.#isNewRun = true;
    this.#reached = Math.max(this.#reached, kernel + 1);
  }

  async read(graph: Graph): Promise<Float64Array> {
    await passed(this.#backend);
    const { busyMs } = { busyMs: this.#busyMs };
    const passMs = await this.#timestamps();
    return deviceTimes(graph, { reached: this.#reached, runs: this.#runs, passes: this.#passes, passMs, busyMs });
  }

  close(): void {
    // What is recorded may write to the query set.
    if (this.#querySet !== null) submit(this.#backend);
    this.#undo.splice(0).forEach((restore) => restore());
    this.#querySet?.destroy();
    this.#querySet = null;
  }

  #start(): void {
    const backend = this.#backend;
    const { device } = backend;
    if (device.features.has("timestamp-query"))
      this.#querySet = device.createQuerySet({ type: "timestamp", count: TIMESTAMPS });
    this.#undo.push(
      override(backend, "submitQueue", (stock) => () => {
        const passes = this.#recorded;
        this.#recorded = 0;
        stock();
        if (passes > 0) this.#submitted(settled(device.queue.onSubmittedWorkDone()));
      }),
      override(backend, "ensureCommandEncoderReady", (stock) => () => {
        stock();
        const encoder = backend.commandEncoder;
        if (encoder === null || encoder === this.#encoder) return;
        this.#encoder = encoder;
        override(encoder, "beginComputePass", (begin) => (pass) => begin({ ...pass, ...this.#begun() }));
      }),
    );
  }

  /** A pass begins. Returns what to add to its descriptor. */
  #begun(): object {
    const pass = this.#passes.push(this.#kernel) - 1;
    this.#recorded++;
    if (this.#isNewRun && this.#kernel >= 0) this.#runs[this.#kernel] = (this.#runs[this.#kernel] ?? 0) + 1;
    this.#isNewRun = false;
    const querySet = this.#querySet;
    if (querySet === null || 2 * pass + 1 >= TIMESTAMPS) return {};
    return {
      timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * pass, endOfPassWriteIndex: 2 * pass + 1 },
    };
  }

  #submitted(ended: Promise<void>): void {
    const submittedMs = this.#now();
    void ended.then(() => {
      const now = this.#now();
      this.#busyMs += now - Math.max(submittedMs, this.#endedMs);
      this.#endedMs = now;
    });
  }

  /** Milliseconds of each pass; null when the device does not tell. */
  async #timestamps(): Promise<readonly number[] | null> {
    const backend = this.#backend;
    const count = 2 * this.#passes.length;
    if (this.#querySet === null || count === 0 || count > TIMESTAMPS) return null;
    const bytes = count * TIMESTAMP_BYTES;
    // In memory that nobody else uses now: times are worth no tensor's place.
    const resolved = this.#pool?.acquireSpare(bytes, USAGE.queryResolve | USAGE.copySource) ?? null;
    if (resolved === null) return null;
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.commandEncoder?.resolveQuerySet(this.#querySet, 0, count, resolved, 0);
    const staging = stage(backend, resolved, bytes);
    backend.bufferManager.releaseBuffer(resolved, false);
    try {
      const ns = await unstage(staging, (mapped) => new BigInt64Array(mapped.slice(0)));
      return this.#passes.map((_, pass) => Number((ns[2 * pass + 1] ?? 0n) - (ns[2 * pass] ?? 0n)) / 1e6);
    } catch {
      // The device was lost. Whoever confirms what it did says so.
      return null;
    }
  }
}
