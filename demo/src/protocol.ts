/**
 * What the page and a worker tell each other: plain data, cloned. One worker does one run and ends with it, so that nothing of one
 * run, no buffer and no lost device, is left for the next.
 *
 *   page ── start ──▶ worker ── loaded, step*, picture*, memory* ──▶ page
 *        ── stop ───▶        ── ended | failed ────────────────────▶
 */
import type { CounterEvent, IterationResult, TraceEvent } from "vdnn";
import type { Settings } from "./settings.ts";

/** What a run is: stock TensorFlow.js without a limit, vdnn under the budget, stock under the same budget. */
export type RunKind = "reference" | "vdnn" | "limited";

export type BackendName = "webgpu" | "webgl" | "wasm";

export interface StartRequest {
  readonly kind: "start";
  readonly run: RunKind;
  /** Tried in order; the first that starts is used. */
  readonly backends: readonly BackendName[];
  readonly settings: Settings;
  /** For `vdnn` its budget, for `limited` the cap; `reference` has none. */
  readonly limitBytes: number | null;
  readonly steps: number;
  /** The bits of the losses and weights after so many steps are hashed. */
  readonly compareAfter: number;
}

/** End after the step that is running. */
export interface StopRequest {
  readonly kind: "stop";
}

export type Request = StartRequest | StopRequest;

/** Bytes at one moment. */
export interface MemorySample {
  /** Tensors that hold data on the device; null where the library does not count them (stock under a cap). */
  readonly inUseBytes: number | null;
  /** Allocated on the device, pooled buffers included, as counted at the allocator itself. */
  readonly allocatedBytes: number;
  readonly peakAllocatedBytes: number;
  readonly hostBytes: number;
}

export interface StepFacts {
  /** From 0. */
  readonly index: number;
  readonly loss: number;
  /** `trainOnBatch` from the call to the loss read back, ms by the worker's clock. */
  readonly wallMs: number;
  /** Null under stock with a cap, which runs without a session. */
  readonly iteration: IterationResult | null;
  readonly memory: MemorySample;
}

/** What the charts draw: every event of the step that ended last, and the memory of the run so far. */
export interface Picture {
  readonly index: number;
  readonly mode: IterationResult["mode"];
  readonly events: readonly TraceEvent[];
  readonly memory: readonly CounterEvent[];
  readonly startsMs: readonly number[];
}

export interface LoadedFacts {
  readonly backend: BackendName;
  /** Why those before it were passed over. */
  readonly skipped: readonly string[];
  readonly parameters: number;
  readonly layers: number;
  /** How allocated bytes are counted and the cap is kept, for the page to say. */
  readonly meter: string;
  /** Resolution of the worker's clock, ms, as it was observed. */
  readonly clockMs: number;
}

export interface Fingerprint {
  readonly steps: number;
  readonly losses: readonly number[];
  /** 128 bits over the bytes of all losses and weights, in hexadecimal. */
  readonly hash: string;
}

export interface RunFiles {
  /** Trace events for Perfetto. */
  readonly trace: Blob;
  /** `vdnn-report/2`. */
  readonly report: Blob;
}

export interface Failure {
  /** A code of vdnn's, or one of the page's own. */
  readonly code: string;
  readonly message: string;
  /** In which step, from 0; null before the first. */
  readonly step: number | null;
}

export type Message =
  | { readonly kind: "loaded"; readonly run: RunKind; readonly facts: LoadedFacts }
  | { readonly kind: "step"; readonly run: RunKind; readonly step: StepFacts }
  | { readonly kind: "memory"; readonly run: RunKind; readonly memory: MemorySample }
  | { readonly kind: "picture"; readonly run: RunKind; readonly picture: Picture }
  | { readonly kind: "fingerprint"; readonly run: RunKind; readonly fingerprint: Fingerprint }
  | {
      readonly kind: "ended";
      readonly run: RunKind;
      readonly how: "finished" | "stopped";
      readonly files: RunFiles | null;
    }
  | {
      readonly kind: "failed";
      readonly run: RunKind;
      readonly failure: Failure;
      readonly memory: MemorySample | null;
      readonly files: RunFiles | null;
    };
