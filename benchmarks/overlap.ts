/**
 * Do copies run beside compute where the backend awaits? One network on WebGPU under vdnn-all, which copies most: steps that await
 * only what they need beside steps that await each copy, in turns. On a software adapter a copy is a memcpy and compute is slow, so
 * there is little to hide; `--bus` puts a simulated link in front of copies to the host.
 */
import { loadTensorFlow } from "../src/backends/load.ts";
import { findNetwork } from "../src/networks/index.ts";
import { virtualize } from "../src/platforms/node.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import {
  collectGarbage,
  type Environment,
  environment,
  interleave,
  progress,
  publish,
  runAsProgram,
  runtimeOf,
  type Summary,
  summarize,
  type Table,
} from "./harness.ts";
import { integer, readOptions, UsageError } from "./options.ts";

const QUESTION = "Do copies run beside compute where the backend awaits?";

const OPTIONS = {
  rounds: { default: "5", help: "rounds, each with both modes" },
  steps: { default: "4", help: "measured steps per round and mode" },
  warmup: {
    default: "3",
    help: "steps per round and mode, discarded: one records, two follow plans that are still made anew",
  },
  depth: { default: "12", help: "layers of the chain of convolutions" },
  width: { default: "8", help: "its channels" },
  image: { default: "16", help: "its image size" },
  batch: { default: "8", help: "images per step" },
  bus: { default: "", help: "GB/s of a simulated link in front of copies to the host; none: as the adapter copies" },
};

/** Both in the same session options otherwise. */
const MODES: Readonly<Record<string, boolean>> = { "awaits what it needs": false, "awaits each copy": true };

export interface OverlapRow {
  readonly mode: string;
  readonly stepMs: Summary;
  /** Of a step, waiting for copies. */
  readonly stallMs: Summary;
  readonly offloadBytes: number;
}

export interface OverlapResult {
  readonly schema: "vdnn-bench-overlap/1";
  readonly question: string;
  readonly environment: Environment;
  readonly adapter: string;
  /** GB/s of the simulated link; null when there is none. */
  readonly busGBps: number | null;
  readonly rounds: number;
  readonly steps: number;
  readonly network: string;
  readonly rows: readonly OverlapRow[];
}

export function overlapTables({ adapter, busGBps, rounds, steps, network, rows }: OverlapResult): Table[] {
  const link =
    busGBps === null
      ? "copies as the adapter makes them"
      : `copies to the host over a simulated link of ${busGBps} GB/s`;
  return [
    {
      caption:
        `Milliseconds per step of ${network} on WebGPU adapter ${adapter} under vdnn-all, measured, ${link}: medians of ${rounds} ` +
        `interleaved rounds of ${steps} steps; spread is the distance of the quartiles over the median.`,
      header: ["driver", "step", "spread", "waiting", "offloaded per step, MiB"],
      rows: rows.map(({ mode, stepMs, stallMs, offloadBytes }) => [
        mode,
        stepMs.median.toFixed(1),
        `${(stepMs.spread * 100).toFixed(0)} %`,
        stallMs.median.toFixed(1),
        (offloadBytes / 2 ** 20).toFixed(2),
      ]),
    },
  ];
}

interface Staging {
  readonly size: number;
}

/** Copies to the host pass one link, one after the other. */
function slowDown(gigabytesPerSecond: number): void {
  const { prototype } = (
    globalThis as unknown as { GPUBuffer: { prototype: { mapAsync: (this: Staging, mode: number) => Promise<void> } } }
  ).GPUBuffer;
  const { mapAsync } = prototype;
  let freeAt = 0;
  prototype.mapAsync = async function overLink(this: Staging, mode) {
    await mapAsync.call(this, mode);
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + this.size / (gigabytesPerSecond * 1e6);
    await new Promise((arrived) => setTimeout(arrived, freeAt - now));
  };
}

function adapterOf(tf: TensorFlow): string {
  const { vendor = "unknown", architecture = "" } =
    (tf.backend() as { adapterInfo?: { vendor?: string; architecture?: string } }).adapterInfo ?? {};
  return `${vendor} ${architecture}`.trim();
}

function busOption(text: string): number | null {
  if (text === "") return null;
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--bus: expected GB/s above 0, got "${text}"`);
  return value;
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const rounds = integer(options.rounds, "rounds");
  const steps = integer(options.steps, "steps");
  const warmup = integer(options.warmup, "warmup");
  const batch = integer(options.batch, "batch");
  const shape = {
    depth: integer(options.depth, "depth"),
    width: integer(options.width, "width"),
    imageSize: integer(options.image, "image"),
  };
  const busGBps = busOption(options.bus);
  const loaded = await loadTensorFlow("webgpu");
  const { tf } = loaded;
  if (busGBps !== null) slowDown(busGBps);
  const network = findNetwork("chain");
  const model = network.build(tf, shape);
  model.compile({ optimizer: tf.train.sgd(0.01), loss: network.loss });
  const { xs, ys } = network.batch(tf, model, batch, 1);
  const samples = Object.fromEntries(
    Object.keys(MODES).map((mode) => [mode, { step: [] as number[], stall: [] as number[], offloadBytes: 0 }]),
  );
  await interleave(Object.keys(MODES), rounds, async (mode, round) => {
    collectGarbage();
    const session = await virtualize(tf, { policy: "vdnn-all", awaitEachCopy: MODES[mode] === true });
    const into = samples[mode];
    for (let i = 0; i < warmup + steps; i++) {
      const start = performance.now();
      await model.trainOnBatch(xs, ys);
      if (i >= warmup) into?.step.push(performance.now() - start);
    }
    for (const { stallMs, offloadBytes } of session.report().iterations.slice(warmup)) {
      into?.stall.push(stallMs);
      if (into !== undefined) into.offloadBytes = offloadBytes;
    }
    await session.dispose();
    progress(`round ${round + 1} of ${rounds}, ${mode}`);
  });
  const result: OverlapResult = {
    schema: "vdnn-bench-overlap/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    adapter: adapterOf(tf),
    busGBps,
    rounds,
    steps,
    network: `a chain of ${shape.depth} convolutions of ${shape.width} channels on ${batch} images of ${shape.imageSize} pixels`,
    rows: Object.entries(samples).map(([mode, { step, stall, offloadBytes }]) => ({
      mode,
      stepMs: summarize(step),
      stallMs: summarize(stall),
      offloadBytes,
    })),
  };
  publish(options.json, result, overlapTables(result));
  // Dawn keeps the process alive.
  process.exit(0);
});
