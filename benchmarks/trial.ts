/**
 * One trial: trains a workload for some steps in this process, with or without vdnn, and prints what it saw as one line of JSON.
 * The benchmarks start it as a child, because it may run out of memory and because the resident set is a process's.
 */
import { readFileSync } from "node:fs";
import { loadTensorFlow } from "../src/backends/load.ts";
import type { BackendName } from "../src/backends/load.ts";
import type { SessionReport } from "../src/report/result.ts";
import type { VirtualizeOptions } from "../src/runtime/options.ts";
import { virtualize } from "../src/platforms/node.ts";
import { type Outcome, runAsProgram, runChild, type Runtime, runtimeOf } from "./harness.ts";
import { openTraining, type Workload } from "./workloads.ts";

/** The options of a session that are plain data. */
export type SessionSettings = Pick<
  VirtualizeOptions,
  "deviceMemory" | "hostMemory" | "spill" | "spillMemory" | "policy"
>;

export interface TrialSpec {
  readonly backend: BackendName;
  readonly workload: Workload;
  readonly steps: number;
  /** Null trains on TensorFlow.js that vdnn never touched. */
  readonly session: SessionSettings | null;
}

export interface TrialResult {
  readonly runtime: Runtime;
  readonly losses: readonly number[];
  readonly weightsSha256: string;
  readonly stepMs: readonly number[];
  /** Of the whole process, with the model built and its data made. */
  readonly beforeTrainingRssBytes: number;
  /** Highest of the whole process until the last step ended. */
  readonly peakRssBytes: number;
  readonly report: SessionReport | null;
}

export function runTrial(spec: TrialSpec, env: Readonly<Record<string, string>> = {}): Promise<Outcome<TrialResult>> {
  return runChild<TrialResult>("trial.ts", [JSON.stringify(spec)], env);
}

/** Losses and weights agree in every bit. */
export function sameBits(a: TrialResult, b: TrialResult): boolean {
  const equal = a.losses.every((loss, i) => Object.is(loss, b.losses[i]));
  return equal && a.losses.length === b.losses.length && a.weightsSha256 === b.weightsSha256;
}

/** A failed trial's reason in a few words; the result file has all of it. */
export function failureKind(reason: string): string {
  if (/OOM when allocating/.test(reason)) return "TensorFlow's OOM";
  if (/SIG[A-Z]+|exit code 1[23]\d/.test(reason)) return "TensorFlow crashes";
  return /VdnnError: .* needs /.test(reason) ? "does not fit" : "error";
}

async function train({ backend, workload, steps, session: settings }: TrialSpec): Promise<TrialResult> {
  const loaded = await loadTensorFlow(backend);
  const session = settings === null ? null : await virtualize(loaded.tf, settings);
  const training = openTraining(loaded.tf, workload);
  const beforeTrainingRssBytes = processBytes("VmRSS");
  const losses: number[] = [];
  const stepMs: number[] = [];
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    losses.push(await training.step());
    stepMs.push(performance.now() - start);
  }
  const peakRssBytes = processBytes("VmHWM");
  const report = session?.report() ?? null;
  await session?.dispose();
  const weightsSha256 = await training.weightsSha256();
  return {
    runtime: runtimeOf(loaded),
    losses,
    weightsSha256,
    stepMs,
    beforeTrainingRssBytes,
    peakRssBytes,
    report,
  };
}

/** Zero where there is no /proc. */
function processBytes(field: "VmRSS" | "VmHWM"): number {
  try {
    const match = new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

await runAsProgram(import.meta.url, async () => {
  const spec = JSON.parse(process.argv[2] ?? "null") as TrialSpec | null;
  if (spec === null) throw new Error("trial.ts is started by the benchmarks, with a TrialSpec as JSON");
  process.stdout.write(`${JSON.stringify(await train(spec))}\n`);
});
