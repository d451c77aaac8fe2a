/**
 * What do the hooks cost per kernel? Tensors of one element, so that nearly all time is the time to call a kernel: an add and
 * its dispose outside an iteration, and the gradient of a long chain of adds and multiplications, first recorded, then planned.
 */
import { loadTensorFlow } from "../src/backends/load.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import type { VirtualizeOptions } from "../src/runtime/options.ts";
import { virtualize } from "../src/platforms/node.ts";
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
import { backendOption, integer, readOptions } from "./options.ts";

const QUESTION = "What do the hooks cost per kernel?";

const OPTIONS = {
  rounds: { default: "9", help: "rounds, each with every mode" },
  ops: { default: "5000", help: "adds outside an iteration, per sample" },
  chain: { default: "500", help: "operations in the chain that is differentiated" },
  repeats: { default: "5", help: "planned iterations per sample" },
  warmup: {
    default: "20",
    help: "iterations and as many thousand adds per mode and round, discarded: V8 compiles anew for every session",
  },
};

/** The budget is never reached: it switches on the estimate that every kernel needs under one. */
const MODES: Readonly<Record<string, VirtualizeOptions | null>> = {
  stock: null,
  none: { policy: "none" },
  liveness: { policy: "liveness" },
  "vdnn-dyn": { policy: "vdnn-dyn" },
  "vdnn-dyn, budget": { policy: "vdnn-dyn", deviceMemory: "4GiB" },
};

/** Microseconds per kernel. Stock neither records nor plans: all its iterations count as planned. */
export interface OverheadRow {
  readonly mode: string;
  readonly outside: Summary;
  readonly recorded: Summary | null;
  /** Making the plan, once per signature, over the kernels of the iteration. */
  readonly planning: Summary | null;
  readonly planned: Summary;
}

export interface OverheadResult {
  readonly schema: "vdnn-bench-overhead/1";
  readonly question: string;
  readonly environment: Environment;
  readonly rounds: number;
  readonly ops: number;
  readonly chain: number;
  readonly repeats: number;
  /** In one iteration of the chain, as recorded by a session. */
  readonly kernels: number;
  readonly rows: readonly OverheadRow[];
}

function show(summary: Summary | null): string {
  return summary === null ? "" : summary.median.toFixed(2);
}

export function overheadTables({ rounds, ops, chain, kernels, rows }: OverheadResult): Table[] {
  const base = rows.find(({ mode }) => mode === "stock")?.planned.median ?? Number.NaN;
  return [
    {
      caption:
        `Microseconds per kernel on tensors of one element, measured: medians of ${rounds} interleaved rounds. Outside: ${ops} ` +
        `adds and their disposal. The rest: the gradient of a chain of ${chain} operations, ${kernels} kernels.`,
      header: ["mode", "outside", "recorded", "planning, once", "planned", "planned less stock"],
      rows: rows.map(({ mode, outside, recorded, planning, planned }) => [
        mode,
        show(outside),
        show(recorded),
        show(planning),
        show(planned),
        mode === "stock" ? "" : (planned.median - base).toFixed(2),
      ]),
    },
  ];
}

interface Times {
  readonly outside: number[];
  readonly recorded: number[];
  readonly planning: number[];
  readonly planned: number[];
}

function perKernel(ms: readonly number[], count: number): Summary {
  return summarize(ms.map((each) => (each * 1000) / count));
}

function elapsed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

function addMany(tf: TensorFlow, ops: number): void {
  const a = tf.scalar(1);
  const b = tf.scalar(2);
  for (let i = 0; i < ops; i++) tf.add(a, b).dispose();
  tf.dispose([a, b]);
}

/** The gradient of x -> ((x + c) * c + c) * ... */
function differentiate(tf: TensorFlow, length: number): void {
  tf.tidy(() => {
    const c = tf.scalar(0.5);
    const chain = tf.grad((x) => {
      let y = x;
      for (let i = 0; i < length; i++) y = i % 2 === 0 ? tf.add(y, c) : tf.mul(y, c);
      return y;
    });
    chain(tf.scalar(1));
  });
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const rounds = integer(options.rounds, "rounds");
  const ops = integer(options.ops, "ops");
  const length = integer(options.chain, "chain");
  const repeats = integer(options.repeats, "repeats");
  const warmup = integer(options.warmup, "warmup");
  const loaded = await loadTensorFlow(backendOption(options.backend, { blocking: true }));
  const { tf } = loaded;
  const modes = Object.keys(MODES);
  const times = new Map(
    modes.map((mode): [string, Times] => [mode, { outside: [], recorded: [], planning: [], planned: [] }]),
  );
  let kernels = 0;
  addMany(tf, ops);
  differentiate(tf, length);
  await interleave(modes, rounds, async (mode, round) => {
    collectGarbage();
    const settings = MODES[mode] ?? null;
    const session = settings === null ? null : await virtualize(tf, settings);
    const into = times.get(mode) as Times;
    addMany(tf, warmup * 1000);
    into.outside.push(elapsed(() => addMany(tf, ops)));
    into.recorded.push(elapsed(() => differentiate(tf, length)));
    // The report closes the iteration, and closing it makes the plan.
    into.planning.push(elapsed(() => void session?.report()));
    for (let i = 0; i < warmup; i++) differentiate(tf, length);
    for (let i = 0; i < repeats; i++) into.planned.push(elapsed(() => differentiate(tf, length)));
    kernels = Math.max(kernels, session?.report().iterations[0]?.kernels ?? 0);
    await session?.dispose();
    progress(`round ${round + 1} of ${rounds}, ${mode}`);
  });
  const rows = modes.map((mode): OverheadRow => {
    const { outside, recorded, planning, planned } = times.get(mode) as Times;
    const plans = mode !== "stock" && mode !== "none";
    return {
      mode,
      outside: perKernel(outside, ops),
      recorded: plans ? perKernel(recorded, kernels) : null,
      planning: plans ? perKernel(planning, kernels) : null,
      planned: perKernel(planned, kernels),
    };
  });
  const result: OverheadResult = {
    schema: "vdnn-bench-overhead/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    rounds,
    ops,
    chain: length,
    repeats,
    kernels,
    rows,
  };
  publish(options.json, result, overheadTables(result));
});
