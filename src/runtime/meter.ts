/**
 * Measures a session: the clock, the running totals of the current iteration, peaks, and, where there is a tracer, every event for
 * it. It decides nothing.
 */
import type { IterationResult, Lane, LaneEvent } from "../report/result.ts";
import type { Vault, VaultStats } from "../memory/vault.ts";
import type { Block } from "./block.ts";
import type { Memory, Tracer } from "./tracer.ts";

type CopyLane = Exclude<Lane, "compute" | "stall">;

interface Totals {
  offloadBytes: number;
  prefetchBytes: number;
  copyMs: number;
  stallMs: number;
  recomputeMs: number;
}

/** `isOld`: what comes next begins anew. */
const NOTHING = { bytes: 0, ms: 0, isOld: false };

const ZERO: Totals = { offloadBytes: 0, prefetchBytes: 0, copyMs: 0, stallMs: 0, recomputeMs: 0 };

export class Meter {
  readonly now: () => number;
  /** Null where neither a trace nor a history was asked for. */
  readonly tracer: Tracer | null;
  /** In the latest iteration that copied on the lane, for the bandwidths that plans are made with: first copies meet cold memory. */
  readonly #copied = {
    offload: { ...NOTHING },
    prefetch: { ...NOTHING },
    "spill-write": { ...NOTHING },
    "spill-read": { ...NOTHING },
  };
  #totals: Totals = { ...ZERO };
  #peakDeviceBytes = 0;
  #sessionPeakBytes = 0;
  #windowPeakBytes = 0;
  #windowLeftBytes = 0;
  /** Time in copies, stalls and recomputation since the session began, ms. */
  movingMs = 0;
  #markMs = 0;
  #markMovingMs = 0;
  #vaultAtStart: VaultStats | null = null;
  demandFetches = 0;
  /** Copies between device and host since the session began. */
  copies = 0;
  iteration = 0;
  layer: string | undefined;
  pass: LaneEvent["pass"];
  vault: Vault | null = null;

  constructor(now: () => number, tracer: Tracer | null) {
    this.now = now;
    this.tracer = tracer;
  }

  get sessionPeakBytes(): number {
    return this.#sessionPeakBytes;
  }

  /** Ledger grew to `usedBytes`. */
  grown(usedBytes: number): void {
    if (usedBytes > this.#peakDeviceBytes) this.#peakDeviceBytes = usedBytes;
    if (usedBytes > this.#sessionPeakBytes) this.#sessionPeakBytes = usedBytes;
    this.#windowPeakBytes = Math.max(this.#windowPeakBytes, usedBytes + this.#windowLeftBytes);
    this.tracer?.changed(this.#memory(usedBytes));
  }

  /** Ledger went down to `usedBytes`. */
  shrunk(usedBytes: number): void {
    this.tracer?.changed(this.#memory(usedBytes));
  }

  /** Starts the clock of the next kernel. What runs until then belongs to it, except copies and recomputation. */
  mark(): void {
    this.#markMs = this.now();
    this.#markMovingMs = this.movingMs;
  }

  /** Time since `mark` without copies, stalls and recomputation, ms. */
  sinceMark(): number {
    return Math.max(0, this.now() - this.#markMs - (this.movingMs - this.#markMovingMs));
  }

  /** Opens a window over one kernel, to learn what it needs beyond what was there. */
  openWindow(usedBytes: number): void {
    this.#windowPeakBytes = usedBytes;
    this.#windowLeftBytes = 0;
  }

  /** A tensor made room on the device. */
  left(bytes: number, usedBytes: number): void {
    this.#windowLeftBytes += bytes;
    this.counters(usedBytes);
  }

  /** Highest ledger value since `openWindow`, had nothing left meanwhile: with less, the kernel would have lacked memory. */
  get windowPeakBytes(): number {
    return this.#windowPeakBytes;
  }

  /** A sample of the memory counters, for the trace. */
  counters(usedBytes: number): void {
    this.tracer?.counters(this.#memory(usedBytes));
  }

  #memory(deviceBytes: number): Memory {
    const { hostBytes = 0, spillBytes = 0 } = this.vault?.stats ?? {};
    return { deviceBytes, hostBytes, spillBytes };
  }

  /**
   * A copy between device and host, on the compute thread; `stallMs` of it was waiting for a stream.
   *
   * @param travels it was only queued here, and `travelled` tells the rest
   */
  moved(lane: "offload" | "prefetch", block: Block, startMs: number, stallMs: number, travels = false): void {
    const durationMs = this.now() - startMs;
    this.movingMs += durationMs;
    this.copies++;
    if (lane === "offload") this.#totals.offloadBytes += block.bytes;
    else this.#totals.prefetchBytes += block.bytes;
    if (!travels) this.#carried(lane, block.bytes, durationMs - stallMs);
    this.#totals.copyMs += durationMs - stallMs;
    this.#totals.stallMs += stallMs;
    this.span(lane, `block ${block.id}`, startMs, durationMs, block.bytes);
    if (stallMs > 0) this.span("stall", "wait for stream", startMs, stallMs);
  }

  /** An awaiting driver waited for copies since `startMs`. */
  waited(startMs: number): void {
    const durationMs = this.now() - startMs;
    this.#totals.stallMs += durationMs;
    this.span("stall", "wait for copies", startMs, durationMs);
  }

  /** A copy travelled to the host beside compute, on a stream. */
  travelled(bytes: number, startMs: number): void {
    const durationMs = this.now() - startMs;
    this.#carried("offload", bytes, durationMs);
    this.span("offload", "to the host", startMs, durationMs, bytes);
  }

  /** A copy between host and spill file, on a stream's own thread. */
  spilled(lane: "spill-write" | "spill-read", bytes: number, startMs: number, durationMs: number): void {
    this.#carried(lane, bytes, durationMs);
    this.span(lane, lane === "spill-write" ? "write" : "read", startMs, durationMs, bytes);
  }

  #carried(lane: CopyLane, bytes: number, ms: number): void {
    const copied = this.#copied[lane];
    if (copied.isOld) Object.assign(copied, NOTHING);
    copied.bytes += bytes;
    copied.ms += ms;
  }

  /** A kernel ran, or was queued. Called while tracing. */
  kernel(name: string, startMs: number, usedBytes: number): void {
    this.computed(name, startMs);
    this.counters(usedBytes);
  }

  /** Computed since `startMs`, or queued to be. */
  computed(name: string, startMs: number): void {
    const { iteration, layer, pass } = this;
    this.tracer?.computed({ name, startMs, durationMs: this.now() - startMs, iteration, layer, pass });
  }

  /** @param durationMs without what it copied and recomputed in turn */
  recomputed(durationMs: number): void {
    this.#totals.recomputeMs += durationMs;
    this.movingMs += durationMs;
  }

  span(lane: Lane, name: string, startMs: number, durationMs: number, bytes?: number): void {
    const { iteration, layer, pass } = this;
    this.tracer?.span({ lane, name, startMs, durationMs, iteration, layer, pass, bytes });
  }

  /** Measured bandwidth of one lane, GB/s; undefined before anything moved. */
  gigabytesPerSecond(lane: CopyLane): number | undefined {
    const { bytes, ms } = this.#copied[lane];
    return ms > 0 ? bytes / ms / 1e6 : undefined;
  }

  /** Starts an iteration with the ledger at `usedBytes`. */
  begin(usedBytes: number): void {
    this.#totals = { ...ZERO };
    for (const copied of Object.values(this.#copied)) copied.isOld = true;
    this.#peakDeviceBytes = usedBytes;
    this.demandFetches = 0;
    this.#vaultAtStart ??= this.vault?.stats ?? null;
    this.tracer?.beginStep();
    this.counters(usedBytes);
  }

  /** Ends it. @param stepMs time inside TF.js training calls, without the user's own work between them */
  end(mode: IterationResult["mode"], stepMs: number, kernels: number): IterationResult {
    const before = this.#vaultAtStart;
    const vault = this.vault?.stats;
    // What is written between two iterations counts to the one after it, which needed the room.
    this.#vaultAtStart = vault ?? null;
    this.tracer?.endStep(this.iteration, mode);
    return {
      index: this.iteration++,
      mode,
      stepMs,
      peakDeviceBytes: this.#peakDeviceBytes,
      peakHostBytes: vault?.peakHostBytes ?? 0,
      ...this.#totals,
      kernels,
      demandFetches: this.demandFetches,
      spillWriteBytes: (vault?.spillWriteBytes ?? 0) - (before?.spillWriteBytes ?? 0),
      spillReadBytes: (vault?.spillReadBytes ?? 0) - (before?.spillReadBytes ?? 0),
    };
  }
}
