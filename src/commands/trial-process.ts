/**
 * Starts trials (trial.ts), each in a process of its own, and says what became of them. "Too large" is said only of what ran out
 * of memory; a crash or a trial that takes too long is neither a yes nor a no.
 */
import { fork } from "node:child_process";
import type { BackendName } from "../backends/load.ts";
import type { SessionSettings } from "../register/settings.ts";
import type { StepTrace } from "../report/history.ts";
import { MIB } from "../units.ts";
import type { TrainedStep, Training } from "./training.ts";

export interface TrialSpec {
  readonly backend: BackendName;
  readonly network: string;
  readonly training: Omit<Training, "network">;
  readonly session: SessionSettings;
  /** Hand the events of the last step back as well. Default false. */
  readonly history?: boolean;
}

export interface TrialResult {
  /** Of every step, the first included. */
  readonly stepMs: readonly number[];
  /** Of all steps: the first is recorded without a plan. */
  readonly peakDeviceBytes: number;
  /** Of the steps after the first. */
  readonly steadyPeakDeviceBytes: number;
  readonly peakHostBytes: number;
  /** Per step, medians of the steps after the first. */
  readonly offloadBytes: number;
  readonly prefetchBytes: number;
  readonly copyMs: number;
  readonly stallMs: number;
  readonly recomputeMs: number;
  /** The policy with its choice: `vdnn-dyn: vdnn-conv`. */
  readonly chosen: string;
  readonly losses: readonly number[];
  readonly weightsSha256: string;
  /** Where a history was asked for. */
  readonly lastStep?: StepTrace;
}

export type TrialMessage =
  | { readonly ok: true; readonly result: TrialResult }
  | { readonly ok: false; readonly code: string | null; readonly message: string };

/** What a trial says on its way. */
export interface TrialStep {
  readonly step: TrainedStep;
}

export type TrialEnd =
  | { readonly kind: "trains"; readonly result: TrialResult }
  | { readonly kind: "too-large" | "crash" | "timeout"; readonly reason: string };

export interface TrialOptions {
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly onStep?: (step: TrainedStep) => void;
}

/** Makes TensorFlow's own CPU allocator refuse what exceeds the limit; whole MiB is all that it takes. */
export function cappedAllocator(limitBytes: number): Readonly<Record<string, string>> {
  return {
    TF_CPU_ALLOCATOR_USE_BFC: "1",
    TF_CPU_BFC_MEM_LIMIT_IN_MB: String(Math.max(1, Math.floor(limitBytes / MIB))),
  };
}

const OUT_OF_MEMORY = /OOM when allocating|out of memory|bad_alloc|cannot allocate memory/i;
const MEMORY_CODES: ReadonlySet<string | null> = new Set(["ERR_OUT_OF_MEMORY", "ERR_HOST_MEMORY"]);
const STDERR_CHARACTERS = 20_000;
const REASON_CHARACTERS = 300;

export async function runTrial(spec: TrialSpec, { timeoutMs, env = {}, onStep }: TrialOptions): Promise<TrialEnd> {
  const fromSource = import.meta.url.endsWith(".ts");
  const child = fork(new URL(fromSource ? "./trial.ts" : "./trial.js", import.meta.url), {
    execArgv: fromSource ? ["--import", import.meta.resolve("tsx")] : [],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2", ...env },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  // A search that is interrupted must not leave a trial behind that keeps the machine busy.
  const signals = ["SIGINT", "SIGTERM"] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    child.kill("SIGKILL");
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  for (const signal of signals) process.once(signal, onSignal);
  let stderr = "";
  let message: TrialMessage | undefined;
  let timedOut = false;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-STDERR_CHARACTERS)));
  child.on("message", (received) => {
    const said = received as TrialMessage | TrialStep;
    if ("step" in said) onStep?.(said.step);
    else message = said;
  });
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const ending = await new Promise<string>((done) => {
      child.once("error", (error) => done(error.message));
      child.once("close", (code, signal) => done(`ended by ${signal ?? `exit code ${String(code)}`}`));
      child.send(spec, () => undefined);
    });
    if (message === undefined && timedOut) return { kind: "timeout", reason: `no result after ${timeoutMs / 1000} s` };
    return outcomeOf(message, ending, stderr);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.removeListener(signal, onSignal);
  }
}

/**
 * @param message what the trial said, if it came to that
 * @param ending how the process ended
 */
export function outcomeOf(message: TrialMessage | undefined, ending: string, stderr: string): TrialEnd {
  if (message?.ok === true) return { kind: "trains", result: message.result };
  if (message !== undefined) {
    const isMemory = MEMORY_CODES.has(message.code) || OUT_OF_MEMORY.test(message.message);
    return { kind: isMemory ? "too-large" : "crash", reason: shorten(message.message) };
  }
  // Node.js's own heap is not the device: running out of that says nothing about a budget.
  const heap = /JavaScript heap out of memory/.test(stderr);
  const line = stderr.split("\n").find((each) => OUT_OF_MEMORY.test(each));
  if (line !== undefined && !heap) return { kind: "too-large", reason: shorten(line) };
  return { kind: "crash", reason: heap ? `Node.js ran out of heap (${ending})` : ending };
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > REASON_CHARACTERS ? `${line.slice(0, REASON_CHARACTERS - 1)}…` : line;
}
