/**
 * The events of a session in bounded memory, for a trace (the first and the newest) or a history (a few steps). A session has a tracer only
 * where one of the two was asked for; in a browser the code is loaded then.
 */
import { Ends } from "../report/ends.ts";
import type { AsynchronousDevice } from "../backends/adapter.ts";
import { HistoryRecorder, type TraceHistory } from "../report/history.ts";
import type { CounterEvent, IterationResult, LaneEvent, TraceEvent } from "../report/result.ts";
import { DeviceLane } from "./device-lane.ts";

/** Of a trace, some 200 bytes each: the steps that record and plan, and some hundred of the newest. */
const FIRST_EVENTS = 50_000;
const NEWEST_EVENTS = 200_000;

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
  /** Null where no trace was asked for. */
  readonly #events: Ends<TraceEvent> | null;
  readonly #recorder: HistoryRecorder | null;
  readonly #now: () => number;
  readonly #originMs: number;
  /** Where the device computes later than the thread. */
  #deviceLane: DeviceLane | null = null;

  constructor({ trace, history, now }: TracerOptions) {
    this.#events = trace ? new Ends(FIRST_EVENTS, NEWEST_EVENTS) : null;
    this.#recorder = history ? new HistoryRecorder() : null;
    this.#now = now;
    this.#originMs = now();
  }

  get events(): readonly TraceEvent[] {
    return this.#events?.items ?? [];
  }

  /** For the report: what is missing in a trace. */
  get warnings(): readonly string[] {
    const omitted = this.#events?.omitted ?? 0;
    return omitted === 0
      ? []
      : [
          `the trace has its first ${FIRST_EVENTS} and its newest ${NEWEST_EVENTS} events; ${omitted} between them are left out`,
        ];
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

  /** A kernel ran, or was queued. */
  computed(kernel: Omit<Span, "lane" | "bytes">): void {
    if (this.#deviceLane === null) this.span({ ...kernel, lane: "compute", bytes: undefined });
    else this.#deviceLane.add(kernel);
  }

  /** Kernels are only queued: the compute lane is the device's own. */
  watch(device: AsynchronousDevice): void {
    this.#deviceLane = new DeviceLane({
      device,
      now: this.#now,
      computed: (batch) => this.span({ ...batch, lane: "compute", bytes: undefined }),
    });
  }

  close(): void {
    this.#deviceLane?.close();
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
    this.#events?.add(event);
    this.#recorder?.add(event);
  }
}
