/**
 * Trains a small network for long under a budget that makes it offload, and prints what there was after the warm-up and at the end, as
 * JSON. Run with `--expose-gc`: node --expose-gc --import tsx test/support/steady-training.ts JSON-OF-LONG-TRAINING
 */
import { type BackendName, loadTensorFlow } from "../../src/backends/load.ts";
import { virtualize } from "../../src/platforms/node.ts";
import { countBuffers } from "./device-counters.ts";
import { perceptron } from "./perceptron.ts";
import { whyNoWebGpu } from "./webgpu.ts";

export interface LongTraining {
  readonly backend: BackendName;
  /** Before anything is counted. */
  readonly warmUp: number;
  readonly steps: number;
  /** Each step has a batch of another size, and needs a plan of its own. */
  readonly changesShape?: boolean;
}

export interface Holdings {
  readonly tensors: number;
  readonly dataBuffers: number;
  readonly deviceBytes: number;
  /** The most of the last steps: copies arrive when they arrive. */
  readonly hostBytes: number;
  readonly gpuBuffers: number;
  readonly gpuBytes: number;
  readonly stagingBuffers: number;
  readonly heapBytes: number;
  /** Memory behind JavaScript objects. */
  readonly externalBytes: number;
}

export interface SteadyTraining {
  readonly before: Holdings;
  readonly after: Holdings;
  /** When the session is disposed. */
  readonly end: Holdings;
  readonly offloadBytes: number;
}

const LAST_STEPS = 10;
/** Of the input, when the batch changes. */
const COLUMNS = 64;

async function main({ backend, warmUp, steps, changesShape = false }: LongTraining): Promise<SteadyTraining> {
  if (backend === "webgpu") await whyNoWebGpu();
  const { tf } = await loadTensorFlow(backend);
  const counter = backend === "webgpu" ? countBuffers(tf) : null;
  const net = perceptron(tf, tf.train.momentum(0.01, 0.9), 1);
  const session = await virtualize(tf, { policy: "vdnn-all", deviceMemory: changesShape ? "1MiB" : "256KiB" });
  const collect = (globalThis as unknown as { gc: () => void }).gc;
  let hostBytes = 0;
  let batch = 0;
  const step = async (): Promise<void> => {
    if (!changesShape) return void (await session.minimize(net.optimizer, net.loss, false, net.weights));
    const x = tf.ones([++batch, COLUMNS]);
    await session.minimize(net.optimizer, () => net.lossOf(x), false, net.weights);
    x.dispose();
  };
  const train = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await step();
      hostBytes = i < count - LAST_STEPS ? 0 : Math.max(hostBytes, session.hostBytes);
    }
  };
  const holdings = async (): Promise<Holdings> => {
    // A turn of the event loop for what ends by promises.
    await new Promise(setImmediate);
    collect();
    collect();
    const { numTensors, numDataBuffers } = tf.memory();
    const { heapUsed, external } = process.memoryUsage();
    return {
      tensors: numTensors,
      dataBuffers: numDataBuffers,
      deviceBytes: session.deviceBytes,
      hostBytes,
      gpuBuffers: counter?.count ?? 0,
      gpuBytes: counter?.bytes ?? 0,
      stagingBuffers: counter?.mappable ?? 0,
      heapBytes: heapUsed,
      externalBytes: external,
    };
  };
  await train(warmUp);
  const before = await holdings();
  await train(steps);
  const after = await holdings();
  const { offloadBytes } = session.report().totals;
  await session.dispose();
  net.dispose();
  return { before, after, end: await holdings(), offloadBytes };
}

// Dawn keeps the process alive.
main(JSON.parse(process.argv[2] ?? "null") as LongTraining).then(
  (result) => process.stdout.write(JSON.stringify(result), () => process.exit(0)),
  (error: unknown) => {
    process.stderr.write(String(error instanceof Error ? error.stack : error));
    process.exit(1);
  },
);
