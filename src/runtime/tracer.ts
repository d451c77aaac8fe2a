/**
 * The events of a session, for a trace (all of them) or a history (some of them, in bounded memory). A session has a tracer only
 * where one of the two was asked for; in a browser the code is loaded then.
 */
import { HistoryRecorder, type TraceHistory } from "../report/history.ts";
import type { CounterEvent, IterationResult, LaneEvent, TraceEvent } from "../report/result.ts";

export interface TracerOptions {
  readonly trace: boolean;
  readonly history: boolean;
  /** Clock in ms. Events count from when the tracer was made. */
  readonly now: () => number;
}

/** Bytes on each tier. */
export type Memory = Omit<CounterEvent, "kind" | "timeMs">;

/** A span by the session's clock. */
type Span = Pick<LaneEvent, "lane" | "name" | "startMs" | "durationMs" | "iteration"> & {
  readonly [K in "layer" | "pass" | "bytes"]: LaneEvent[K] | undefined;
};

export class Tracer {
  /** All of them, where a trace was asked for. */
  readonly events: TraceEvent[] = [];
  readonly #keepsAll: boolean;
  readonly #recorder: HistoryRecorder | null;
  readonly #now: () => number;
  readonly #originMs: number;

  constructor({ trace, history, now }: TracerOptions) {
    this.#keepsAll = trace;
    this.#recorder = history ? new HistoryRecorder() : null;
    this.#now = now;
    this.#originMs = now();
  }

  get history(): TraceHistory | null {
    return this.#recorder?.history ?? null;
  }

  /** The ledger changed. A history has every change, so that what it shows is the peak that is reported. */
  changed(memory: Memory): void {
    this.#recorder?.add(this.#sample(memory));
  }

  /** A sample of the memory counters. */
  counters(memory: Memory): void {
    this.#note(this.#sample(memory));
  }

  span({ layer, pass, bytes, startMs, ...span }: Span): void {
    this.#note({
      kind: "span",
      ...span,
      startMs: startMs - this.#originMs,
      ...(layer === undefined ? {} : { layer }),
      ...(pass === undefined ? {} : { pass }),
      ...(bytes === undefined ? {} : { bytes }),
    });
  }

  beginStep(): void {
    this.#recorder?.beginStep(this.#now() - this.#originMs);
  }

  endStep(index: number, mode: IterationResult["mode"]): void {
    this.#recorder?.endStep(index, mode);
  }

  #sample(memory: Memory): CounterEvent {
    return { kind: "counter", timeMs: this.#now() - this.#originMs, ...memory };
  }

  #note(event: TraceEvent): void {
    if (this.#keepsAll) this.events.push(event);
    this.#recorder?.add(event);
  }
}
