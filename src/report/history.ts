/**
 * What a report draws of a session, in bounded memory however long it trains: the memory of all of it, thinned, and every event
 * of few steps, the first and the last of those that went as they will go on. A trace keeps everything; this is for `--report`.
 */
import type { CounterEvent, IterationResult, TraceEvent } from "./result.ts";

/** Every event of one iteration. */
export interface StepTrace {
  readonly index: number;
  readonly mode: IterationResult["mode"];
  readonly events: readonly TraceEvent[];
  /** Events of it that were left out, as it had more than are kept. */
  readonly droppedEvents: number;
}

export interface TraceHistory {
  /** The highest of each tier in each `resolutionMs`, ascending. */
  readonly memory: readonly CounterEvent[];
  readonly resolutionMs: number;
  /** How many samples `memory` was made from. */
  readonly samples: number;
  /** When each iteration began, as far as there is room. */
  readonly startsMs: readonly number[];
  readonly steps: readonly StepTrace[];
}

export interface HistoryLimits {
  /** Samples of memory over time. Default 4096. */
  readonly samples?: number;
  /** Events of one step. Default 20000. */
  readonly stepEvents?: number;
  /** Starts of iterations. Default 512. */
  readonly starts?: number;
}

const FIRST_RESOLUTION_MS = 1 / 16;

export class HistoryRecorder {
  readonly #limits: Required<HistoryLimits>;
  #resolutionMs = FIRST_RESOLUTION_MS;
  /** One sample per interval of the resolution, of those that have any: at most `limits.samples`. */
  #memory: CounterEvent[] = [];
  #samples = 0;
  readonly #startsMs: number[] = [];
  #events: TraceEvent[] = [];
  #dropped = 0;
  #first: StepTrace | null = null;
  #last: StepTrace | null = null;
  #lastSteady: StepTrace | null = null;

  constructor({ samples = 4096, stepEvents = 20_000, starts = 512 }: HistoryLimits = {}) {
    this.#limits = { samples, stepEvents, starts };
  }

  add(event: TraceEvent): void {
    if (this.#events.length < this.#limits.stepEvents) this.#events.push(event);
    else this.#dropped++;
    if (event.kind !== "counter") return;
    this.#samples++;
    append(this.#memory, event, this.#resolutionMs);
    // Where samples are far apart, twice the interval may still hold one.
    while (this.#memory.length > this.#limits.samples) {
      this.#resolutionMs *= 2;
      const finer = this.#memory;
      this.#memory = [];
      for (const sample of finer) append(this.#memory, sample, this.#resolutionMs);
    }
  }

  /** What came since the last step ended belongs to no step. */
  beginStep(timeMs: number): void {
    if (this.#startsMs.length < this.#limits.starts) this.#startsMs.push(timeMs);
    this.#events = [];
    this.#dropped = 0;
  }

  endStep(index: number, mode: IterationResult["mode"]): void {
    const step = { index, mode, events: this.#events, droppedEvents: this.#dropped };
    this.#first ??= step;
    this.#last = step;
    if (mode === "planned" || mode === "stock") this.#lastSteady = step;
    this.#events = [];
    this.#dropped = 0;
  }

  get history(): TraceHistory {
    const steps = [this.#first, this.#lastSteady ?? this.#last].filter((step) => step !== null);
    return {
      memory: this.#memory,
      resolutionMs: this.#resolutionMs,
      samples: this.#samples,
      startsMs: this.#startsMs,
      steps: [...new Set(steps)],
    };
  }
}

/** Takes the highest of each tier where both lie in one interval. */
function append(samples: CounterEvent[], sample: CounterEvent, resolutionMs: number): void {
  const last = samples.at(-1);
  const isNew =
    last === undefined || Math.floor(sample.timeMs / resolutionMs) !== Math.floor(last.timeMs / resolutionMs);
  if (isNew) {
    samples.push(sample);
    return;
  }
  samples[samples.length - 1] = {
    ...last,
    deviceBytes: Math.max(last.deviceBytes, sample.deviceBytes),
    hostBytes: Math.max(last.hostBytes, sample.hostBytes),
    spillBytes: Math.max(last.spillBytes, sample.spillBytes),
  };
}
