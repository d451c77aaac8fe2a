/**
 * Measures how fast bytes move on this machine: device and host by vdnn's own copy lanes and by TensorFlow.js's, host and host,
 * host and spill file. Every figure is the median of warm repetitions over one buffer, in GB/s (10⁹ bytes per second).
 */
import { setTimeout as pause } from "node:timers/promises";
import type { CopyCommand } from "../memory/copy.ts";
import { performCopy } from "../memory/file-copy.ts";
import { HostPool, type HostSlot } from "../memory/host-pool.ts";
import { SHARED_SEGMENTS } from "../memory/shared-segments.ts";
import { QueueStream } from "../memory/queue-stream.ts";
import { SpillFile } from "../memory/spill-file.ts";
import { engineOf, type Values, viewAs } from "../runtime/engine.ts";
import { MIB } from "../units.ts";
import { adapterFor } from "./index.ts";
import { type BackendName, loadTensorFlow } from "./load.ts";
import { submit, type WebGpuBackend } from "./webgpu-device.ts";
import { NODE_ADAPTERS } from "./node-adapters.ts";

const COPY_BYTES = 64 * MIB;
const REPETITIONS = 9;

export interface CopyRates {
  readonly bytes: number;
  /** By the backend's adapter into and out of pooled host memory: what a step under vdnn pays. */
  readonly offloadGBps: number;
  readonly prefetchGBps: number;
  /** By TensorFlow.js's `readSync` and `write`, into fresh arrays. */
  readonly readGBps: number;
  readonly writeGBps: number;
}

export interface SpillRates {
  readonly bytes: number;
  readonly directory: string;
  /** True when O_DIRECT is in use; else the figures are the page cache's as much as the disk's. */
  readonly direct: boolean;
  readonly writeGBps: number;
  readonly readGBps: number;
}

/** Loads the backend in this process and measures its copies. Meant for a process of its own. */
export async function measureCopies(name: BackendName): Promise<CopyRates> {
  const { tf } = await loadTensorFlow(name);
  const engine = engineOf(tf);
  const adapter = adapterFor(engine, NODE_ADAPTERS);
  const { view } = slotOf(COPY_BYTES);
  const shape = [COPY_BYTES / 4];
  const start = tf.ones(shape);
  let tensor = tf.add(start, 1);
  const { dataId } = tensor;
  const { asynchronous } = adapter;
  const upload = engine.backend as unknown as {
    getInputTensorIds?(tensors: unknown[]): unknown;
    uploadToGPU?(dataId: object): void;
  };

  const offloadMs = await medianMs(() =>
    asynchronous === undefined ? adapter.copyOut(dataId, view) : asynchronous.queueCopyOut(dataId).finish(view),
  );
  const readMs = await medianMs(
    () => (asynchronous === undefined ? engine.backend.readSync(dataId) : engine.backend.read(tensor.dataId)),
    () => {
      if (asynchronous === undefined) return undefined;
      // Stock webgpu keeps what was read.
      if (tensor.dataId !== dataId) tensor.dispose();
      tensor = tf.add(start, 1);
      submit(engine.backend as WebGpuBackend);
      return asynchronous.finish();
    },
  );
  const prefetchMs = await medianMs(
    () => {
      adapter.copyIn(dataId, view, shape, "float32", 1);
      return asynchronous?.finish();
    },
    () => adapter.release(dataId),
  );
  const values: Values = viewAs("float32", new Uint8Array(COPY_BYTES).fill(1));
  let written: { dispose(): void } | undefined;
  const writeMs = await medianMs(
    () => {
      const fresh = tf.tensor(values, shape);
      // tfjs-node uploads when a kernel first asks for the handle.
      upload.getInputTensorIds?.([fresh]);
      // webgpu too.
      upload.uploadToGPU?.(fresh.dataId);
      written = fresh;
      return asynchronous?.finish();
    },
    () => written?.dispose(),
  );
  return {
    bytes: COPY_BYTES,
    offloadGBps: rate(offloadMs),
    prefetchGBps: rate(prefetchMs),
    readGBps: rate(readMs),
    writeGBps: rate(writeMs),
  };
}

/** Copies between two buffers of host memory on the calling thread. */
export async function measureMemory(): Promise<number> {
  const pool = new HostPool({ capacityBytes: 2 * COPY_BYTES, segments: SHARED_SEGMENTS });
  const [from, to] = [slotOf(COPY_BYTES, pool), slotOf(COPY_BYTES, pool)];
  from.view.fill(1);
  return rate(await medianMs(() => to.view.set(from.view)));
}

/**
 * Writes and reads a spill file in the directory, one command at a time per direction, as the streams do.
 *
 * @throws VdnnError `ERR_SPILL` when it cannot be written
 */
export async function measureSpill(directory: string): Promise<SpillRates> {
  const file = SpillFile.create({ directory });
  const stream = new QueueStream<CopyCommand>({ name: "doctor", perform: performCopy(file) });
  try {
    const slot = slotOf(COPY_BYTES);
    slot.view.fill(1);
    const fileOffset = file.extents.allocate(COPY_BYTES);
    const copy = (kind: CopyCommand["kind"]) => stream.submit({ kind, fileOffset, slot }).done();
    const writeMs = await medianMs(() => copy("write"));
    const readMs = await medianMs(() => copy("read"));
    return {
      bytes: COPY_BYTES,
      directory,
      direct: file.direct,
      writeGBps: rate(writeMs),
      readGBps: rate(readMs),
    };
  } finally {
    await stream.close();
    file.close();
  }
}

function slotOf(
  bytes: number,
  pool: HostPool = new HostPool({ capacityBytes: bytes, segments: SHARED_SEGMENTS }),
): HostSlot {
  const slot = pool.allocate(bytes);
  if (slot === undefined) throw new RangeError(`cannot get ${bytes} bytes of host memory to measure with`);
  return slot;
}

/** The median time of `action` in ms, after two warm-up calls; `before` runs outside the measured time. */
async function medianMs(action: () => unknown, before: () => unknown = () => undefined): Promise<number> {
  const samples: number[] = [];
  for (let repetition = -2; repetition < REPETITIONS; repetition++) {
    await before();
    const begin = performance.now();
    await action();
    const elapsed = performance.now() - begin;
    if (repetition >= 0) samples.push(elapsed);
    // Arrays of the last repetition are freed by the garbage collector between, not within, measurements.
    await pause(0);
  }
  samples.sort((a, b) => a - b);
  return samples[samples.length >> 1] ?? Number.NaN;
}

function rate(ms: number): number {
  return Number((COPY_BYTES / 1e6 / ms).toFixed(2));
}
