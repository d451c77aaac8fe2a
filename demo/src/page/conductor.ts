/**
 * Starts runs, one worker each, one after the other, and ends them. A worker that does not react is ended from outside; what it had
 * told until then stays.
 */
import { VdnnError } from "../../../src/errors.ts";
import type { BackendName, Failure, Message, Request, RunKind, StartRequest } from "../protocol.ts";
import { parseBudget, type Settings, trainingKey } from "../settings.ts";
import { abandon, beginRun, EMPTY, isProgress, receive, type RunState, type State } from "./state.ts";

/** Bits are compared after so many steps: enough for vdnn to record, to plan, to plan again with times, and to follow that. */
const COMPARED_STEPS = 4;
/** Stock's steps are as many as vdnn's, so that both are as warm when they are timed, up to so many. */
const STOCK_STEPS = 40;
/** How long a run may take to end after it was asked to. */
const PATIENCE_MS = 3000;
/** After so long without a step the page says so. */
const QUIET_MS = 30_000;
/** A timer that is so late was no measure of quiet: the page was frozen, and its worker with it. Hidden tabs wait a second. */
const LATE_MS = 5000;

/** A worker, as far as it is used here. */
export interface Port {
  addEventListener(type: "message", listener: (event: { readonly data: Message }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  postMessage(request: Request, transfer: never[]): void;
  terminate(): void;
}

export class Conductor {
  #state: State = EMPTY;
  #worker: Port | null = null;
  #stopped = false;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #onOver: (() => void) | null = null;
  readonly #makeWorker: () => Port;
  readonly #onChange: (state: State) => void;

  constructor(makeWorker: () => Port, onChange: (state: State) => void) {
    this.#makeWorker = makeWorker;
    this.#onChange = onChange;
  }

  get state(): State {
    return this.#state;
  }

  /** Stock without a limit, unless it has been measured, then vdnn under the budget. */
  async train(settings: Settings, backends: readonly BackendName[]): Promise<void> {
    await this.#guarded(async () => {
      const budget = parseBudget(settings.budget);
      const reference = await this.#reference(settings, backends);
      if (this.#stopped) return;
      const limitBytes = budget.kind === "bytes" ? budget.bytes : shareOf(reference, budget.share);
      if (limitBytes === null) return;
      // A stock run that failed is told in the table; with a budget in bytes vdnn needs nothing of it.
      await this.#run("vdnn", settings, usedBy(reference, backends), limitBytes, settings.steps);
    });
  }

  /** Stock under the budget, until it fails or is through. */
  async runLimited(settings: Settings, backends: readonly BackendName[]): Promise<void> {
    await this.#guarded(async () => {
      const budget = parseBudget(settings.budget);
      const reference =
        budget.kind === "share" ? await this.#reference(settings, backends) : this.#known(settings, backends);
      if (this.#stopped) return;
      const limitBytes = budget.kind === "bytes" ? budget.bytes : shareOf(reference, budget.share);
      if (limitBytes === null) return;
      await this.#run("limited", settings, usedBy(reference, backends), limitBytes, settings.steps);
    });
  }

  /** After the step that is running; at once when asked twice, or when nothing reacts. */
  stop(): void {
    if (this.#worker === null) return;
    if (this.#stopped) {
      this.#abandon(null);
      return;
    }
    this.#stopped = true;
    this.#worker.postMessage({ kind: "stop" }, []);
    this.#patience = setTimeout(() => this.#abandon(null), PATIENCE_MS);
  }

  /** A budget that cannot be read is the only thing that throws before a run. */
  async #guarded(action: () => Promise<void>): Promise<void> {
    if (this.#worker !== null) return;
    this.#stopped = false;
    try {
      await action();
    } catch (error) {
      this.#set({ ...this.#state, active: null, failure: failureOf(error) });
    }
  }

  /** What stock needs for this training, if it was measured on a backend that may be used. */
  #known(settings: Settings, backends: readonly BackendName[]): RunState | undefined {
    const known = this.#state.runs.reference;
    const isUsable =
      known?.status === "finished" &&
      known.facts !== null &&
      backends.includes(known.facts.backend) &&
      known.fingerprint?.steps === comparedSteps(settings) &&
      trainingKey(known.settings) === trainingKey(settings);
    return isUsable ? known : undefined;
  }

  async #reference(settings: Settings, backends: readonly BackendName[]): Promise<RunState | undefined> {
    const known = this.#known(settings, backends);
    if (known !== undefined) return known;
    return this.#run("reference", settings, backends, null, Math.min(settings.steps, STOCK_STEPS));
  }

  #run(
    kind: RunKind,
    settings: Settings,
    backends: readonly BackendName[],
    limitBytes: number | null,
    plannedSteps: number,
  ): Promise<RunState | undefined> {
    const worker = this.#makeWorker();
    this.#worker = worker;
    this.#set(beginRun(this.#state, { kind, settings, limitBytes, plannedSteps }));
    return new Promise((resolve) => {
      this.#onOver = () => resolve(this.#state.runs[kind]);
      worker.addEventListener("message", ({ data }) => {
        this.#set(receive(this.#state, data));
        if (isProgress(data)) this.#listen();
        if (data.kind === "ended" || data.kind === "failed") this.#end();
      });
      worker.addEventListener("error", ({ message }) => {
        const why = message === undefined || message === "" ? "its script did not load" : message;
        this.#abandon({ code: "ERR_WORKER", message: `the training worker ended: ${why}`, step: null });
      });
      const request: StartRequest = {
        kind: "start",
        run: kind,
        backends,
        settings,
        limitBytes,
        steps: plannedSteps,
        compareAfter: comparedSteps(settings),
      };
      worker.postMessage(request, []);
      this.#listen();
    });
  }

  #listen(): void {
    clearTimeout(this.#quiet);
    const dueMs = performance.now() + QUIET_MS;
    this.#quiet = setTimeout(() => {
      if (performance.now() - dueMs > LATE_MS) this.#listen();
      else this.#set({ ...this.#state, isQuiet: true });
    }, QUIET_MS);
  }

  #abandon(failure: Failure | null): void {
    if (this.#worker === null) return;
    this.#set(abandon(this.#state, failure));
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#patience);
    clearTimeout(this.#quiet);
    this.#worker?.terminate();
    this.#worker = null;
    const over = this.#onOver;
    this.#onOver = null;
    over?.();
  }

  #set(state: State): void {
    this.#state = state;
    this.#onChange(state);
  }
}

function comparedSteps({ steps }: Settings): number {
  return Math.min(steps, COMPARED_STEPS);
}

/** @returns null when stock did not run to an end, which its own failure tells */
function shareOf(reference: RunState | undefined, share: number): number | null {
  if (reference?.status !== "finished") return null;
  const peak = Math.max(...reference.steps.map(({ iteration }) => iteration?.peakDeviceBytes ?? 0));
  return Math.floor(peak * share);
}

function usedBy(reference: RunState | undefined, backends: readonly BackendName[]): readonly BackendName[] {
  const used = reference?.facts?.backend;
  return used === undefined ? backends : [used];
}

function failureOf(error: unknown): Failure {
  if (error instanceof VdnnError) return { code: error.code, message: error.message, step: null };
  throw error;
}
