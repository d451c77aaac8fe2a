/**
 * Do copies run beside compute where the backend awaits? One network on WebGPU, three ways in turns: copies that take no time, copies over
 * a slow link under the awaiting driver, and the same copies where each is awaited at once. What the link adds to a step, over the
 * time that the link is busy, is what was not hidden.
 *
 * The link is simulated (`simulated-link.ts`): a software adapter's own copies are memcpys beside slow kernels. By default it is so slow
 * that it is busy for half a step, where all of it could be hidden. `--link-share 2` asks for what no driver can hide: the link is
 * the bottleneck then. What is left at half a step is the turn from the forward to the backward pass: what was offloaded last is
 * wanted first, and the device has nothing to do until it is back.
 */
import { loadTensorFlow } from "../src/backends/load.ts";
import { findNetwork } from "../src/networks/index.ts";
import { virtualize } from "../src/platforms/node.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import type { VirtualizeOptions } from "../src/runtime/options.ts";
import {
  collectGarbage,
  type Environment,
  environment,
  interleave,
  median,
  progress,
  publish,
  runAsProgram,
  runtimeOf,
  type Summary,
  summarize,
  type Table,
} from "./harness.ts";
import { integer, readOptions, UsageError } from "./options.ts";
import { SimulatedLink } from "./simulated-link.ts";

const QUESTION = "Do copies run beside compute where the backend awaits?";

const OPTIONS = {
  rounds: { default: "5", help: "rounds, each with every mode" },
  steps: { default: "4", help: "measured steps per round and mode" },
  warmup: {
    default: "3",
    help: "steps per round and mode, discarded: one records, two follow plans that are still made anew",
  },
  depth: { default: "12", help: "layers of the chain of convolutions" },
  width: { default: "8", help: "its channels" },
  image: { default: "16", help: "its image size" },
  batch: { default: "8", help: "images per step" },
  policy: { default: "vdnn-all", help: "policy of the sessions; vdnn-all copies most" },
  "device-memory": { default: "", help: "device budget of the sessions, such as 1MiB; none: no budget" },
  "link-share": {
    default: "0.5",
    help: "link time of a step as a share of the step without link; above 1 it is link-bound",
  },
  bus: { default: "", help: "GB/s of the link, instead of --link-share" },
};

interface Mode {
  readonly name: string;
  /** Copies pass the slow link. */
  readonly isLinked: boolean;
  readonly awaitsEachCopy: boolean;
}

/** Otherwise all alike. */
const MODES: readonly Mode[] = [
  { name: "copies take no time", isLinked: false, awaitsEachCopy: false },
  { name: "awaits what it needs", isLinked: true, awaitsEachCopy: false },
  { name: "awaits each copy", isLinked: true, awaitsEachCopy: true },
];

export interface OverlapRow {
  readonly mode: string;
  readonly stepMs: Summary;
  /** Of a step, waiting for copies or for the device. */
  readonly stallMs: Summary;
  /** Of a step, while the link was busy. */
  readonly linkMs: number;
  readonly offloadBytes: number;
}

export interface OverlapResult {
  readonly schema: "vdnn-bench-overlap/2";
  readonly question: string;
  readonly environment: Environment;
  readonly adapter: string;
  readonly policy: string;
  readonly deviceMemory: string | null;
  /** Of the simulated link, GB/s. */
  readonly linkGBps: number;
  readonly rounds: number;
  readonly steps: number;
  readonly network: string;
  readonly rows: readonly OverlapRow[];
}

/** Part of the link's time that a step is not longer for. Null without link time. */
function hiddenShare({ stepMs, linkMs }: OverlapRow, [free]: readonly OverlapRow[]): number | null {
  return linkMs === 0 || free === undefined ? null : 1 - (stepMs.median - free.stepMs.median) / linkMs;
}

export function overlapTables(result: OverlapResult): Table[] {
  const { adapter, policy, deviceMemory, linkGBps, rounds, steps, network, rows } = result;
  const budget = deviceMemory === null ? "" : ` and ${deviceMemory} of device memory`;
  return [
    {
      caption:
        `Milliseconds per step of ${network} on WebGPU adapter ${adapter} under ${policy}${budget}: kernels measured, copies to the ` +
        `host over a simulated link of ${(linkGBps * 1000).toPrecision(2)} MB/s. Medians of ${rounds} interleaved rounds of ${steps} steps; spread is the ` +
        "distance of the quartiles over the median; hidden is the part of the link's time that the step is not longer for.",
      header: ["driver", "step", "spread", "link busy", "hidden", "offloaded per step, MiB"],
      rows: rows.map((row) => {
        const hidden = hiddenShare(row, rows);
        return [
          row.mode,
          row.stepMs.median.toFixed(1),
          `${(row.stepMs.spread * 100).toFixed(0)} %`,
          row.linkMs.toFixed(1),
          hidden === null ? "" : `${(hidden * 100).toFixed(0)} %`,
          (row.offloadBytes / 2 ** 20).toFixed(2),
        ];
      }),
    },
  ];
}

function adapterOf(tf: TensorFlow): string {
  const { vendor = "unknown", architecture = "" } =
    (tf.backend() as { adapterInfo?: { vendor?: string; architecture?: string } }).adapterInfo ?? {};
  return `${vendor} ${architecture}`.trim();
}

function positive(text: string, option: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--${option}: expected a number above 0, got "${text}"`);
  return value;
}

interface Samples {
  readonly stepMs: number[];
  readonly stallMs: number[];
  readonly linkMs: number[];
  readonly linkBytes: number[];
  offloadBytes: number;
}

function noSamples(): Samples {
  return { stepMs: [], stallMs: [], linkMs: [], linkBytes: [], offloadBytes: 0 };
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
  const linkShare = positive(options["link-share"], "link-share");
  const deviceMemory = options["device-memory"] === "" ? null : options["device-memory"];
  const session: VirtualizeOptions = { policy: options.policy, ...(deviceMemory === null ? {} : { deviceMemory }) };
  const loaded = await loadTensorFlow("webgpu");
  const { tf } = loaded;
  const link = new SimulatedLink();
  link.install();
  const network = findNetwork("chain");
  const model = network.build(tf, shape);
  model.compile({ optimizer: tf.train.sgd(0.01), loss: network.loss });
  const { xs, ys } = network.batch(tf, model, batch, 1);

  const measure = async ({ isLinked, awaitsEachCopy }: Mode, gigabytesPerSecond: number, into: Samples) => {
    collectGarbage();
    link.gigabytesPerSecond = isLinked ? gigabytesPerSecond : Number.POSITIVE_INFINITY;
    link.awaitsEachCopy = awaitsEachCopy;
    const current = await virtualize(tf, { ...session, awaitEachCopy: awaitsEachCopy });
    for (let i = 0; i < warmup + steps; i++) {
      link.takeUse();
      const start = performance.now();
      await model.trainOnBatch(xs, ys);
      if (i < warmup) continue;
      into.stepMs.push(performance.now() - start);
      const { busyMs, bytes } = link.takeUse();
      into.linkMs.push(busyMs);
      into.linkBytes.push(bytes);
    }
    for (const { stallMs, offloadBytes } of current.report().iterations.slice(warmup)) {
      into.stallMs.push(stallMs);
      into.offloadBytes = offloadBytes;
    }
    await current.dispose();
  };

  let linkGBps = Number.NaN;
  if (options.bus !== "") linkGBps = positive(options.bus, "bus");
  else {
    const probe = noSamples();
    await measure(MODES[0] as Mode, Number.POSITIVE_INFINITY, probe);
    linkGBps = median(probe.linkBytes) / (linkShare * median(probe.stepMs) * 1e6);
  }
  const samples = new Map(MODES.map((mode) => [mode, noSamples()]));
  await interleave(MODES, rounds, async (mode, round) => {
    await measure(mode, linkGBps, samples.get(mode) as Samples);
    progress(`round ${round + 1} of ${rounds}, ${mode.name}`);
  });
  const result: OverlapResult = {
    schema: "vdnn-bench-overlap/2",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    adapter: adapterOf(tf),
    policy: options.policy,
    deviceMemory,
    linkGBps,
    rounds,
    steps,
    network: `a chain of ${shape.depth} convolutions of ${shape.width} channels on ${batch} images of ${shape.imageSize} pixels`,
    rows: [...samples].map(([{ name }, { stepMs, stallMs, linkMs, offloadBytes }]) => ({
      mode: name,
      stepMs: summarize(stepMs),
      stallMs: summarize(stallMs),
      linkMs: median(linkMs),
      offloadBytes,
    })),
  };
  publish(options.json, result, overlapTables(result));
  // Dawn keeps the process alive.
  process.exit(0);
});
