/** What the page knows of its runs, as a value that messages of workers advance. Pure: every view is a function of it. */
import type {
  Failure,
  Fingerprint,
  LoadedFacts,
  MemorySample,
  Message,
  Picture,
  RunFiles,
  RunKind,
  StepFacts,
} from "../protocol.ts";
import { type Settings, trainingKey } from "../settings.ts";

export interface RunState {
  readonly kind: RunKind;
  readonly settings: Settings;
  readonly limitBytes: number | null;
  readonly plannedSteps: number;
  readonly status: "loading" | "running" | "finished" | "stopped" | "failed";
  readonly facts: LoadedFacts | null;
  readonly steps: readonly StepFacts[];
  readonly memory: MemorySample | null;
  readonly picture: Picture | null;
  readonly fingerprint: Fingerprint | null;
  readonly files: RunFiles | null;
  readonly failure: Failure | null;
}

export interface State {
  readonly runs: Readonly<Partial<Record<RunKind, RunState>>>;
  /** The run that is going on. */
  readonly active: RunKind | null;
  /** What went wrong last, until something is started again. */
  readonly failure: Failure | null;
  /** No step has ended for long: the device is slow, or it hangs. */
  readonly isQuiet: boolean;
}

export const EMPTY: State = { runs: {}, active: null, failure: null, isQuiet: false };

export interface NewRun {
  readonly kind: RunKind;
  readonly settings: Settings;
  readonly limitBytes: number | null;
  readonly plannedSteps: number;
}

/** Runs that trained something else are forgotten, as there is nothing to compare with them. */
export function beginRun(state: State, { kind, settings, limitBytes, plannedSteps }: NewRun): State {
  const key = trainingKey(settings);
  const others = Object.values(state.runs).filter((run) => trainingKey(run.settings) === key);
  const run: RunState = {
    kind,
    settings,
    limitBytes,
    plannedSteps,
    status: "loading",
    facts: null,
    steps: [],
    memory: null,
    picture: null,
    fingerprint: null,
    files: null,
    failure: null,
  };
  return {
    runs: { ...Object.fromEntries(others.map((each) => [each.kind, each])), [kind]: run },
    active: kind,
    failure: null,
    isQuiet: false,
  };
}

export function receive(state: State, message: Message): State {
  const run = state.runs[message.run];
  if (run === undefined || state.active !== message.run) return state;
  const advanced = advance(run, message);
  const isOver = advanced.status !== "loading" && advanced.status !== "running";
  // That stock fails under the limit is an answer, not a failure of the page.
  const failure = message.kind === "failed" && message.run !== "limited" ? message.failure : state.failure;
  return {
    runs: { ...state.runs, [message.run]: advanced },
    active: isOver ? null : state.active,
    failure,
    isQuiet: state.isQuiet && !isProgress(message),
  };
}

/** Samples of memory come from a worker whose device hangs too. */
export function isProgress({ kind }: Message): boolean {
  return kind !== "memory";
}

function advance(run: RunState, message: Message): RunState {
  switch (message.kind) {
    case "loaded":
      return { ...run, status: "running", facts: message.facts };
    case "step":
      return { ...run, steps: [...run.steps, message.step], memory: message.step.memory };
    case "memory":
      return { ...run, memory: message.memory };
    case "picture":
      return { ...run, picture: message.picture };
    case "fingerprint":
      return { ...run, fingerprint: message.fingerprint };
    case "ended":
      return { ...run, status: message.how, files: message.files };
    case "failed":
      return {
        ...run,
        status: "failed",
        failure: message.failure,
        memory: message.memory ?? run.memory,
        files: message.files,
      };
  }
  return message satisfies never;
}

/** The run ended without a word: its worker was ended, or died. */
export function abandon(state: State, failure: Failure | null): State {
  const run = state.active === null ? undefined : state.runs[state.active];
  if (run === undefined) return { ...state, active: null, failure: failure ?? state.failure, isQuiet: false };
  const ended: RunState = { ...run, status: failure === null ? "stopped" : "failed", failure };
  return { runs: { ...state.runs, [run.kind]: ended }, active: null, failure, isQuiet: false };
}
