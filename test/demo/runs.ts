/** Runs as workers tell them, for tests of what the page makes of them. */
import type { IterationResult } from "vdnn";
import type { LoadedFacts, MemorySample, Message, RunKind, StepFacts } from "../../demo/src/protocol.ts";

export const MEMORY: MemorySample = { inUseBytes: 10, allocatedBytes: 20, peakAllocatedBytes: 30, hostBytes: 5 };

export const FACTS: LoadedFacts = {
  backend: "wasm",
  skipped: [],
  parameters: 7,
  layers: 3,
  meter: "Counted.",
  clockMs: 0.1,
};

export function iteration(index: number, peakDeviceBytes: number): IterationResult {
  return {
    index,
    mode: index === 0 ? "recorded" : "planned",
    stepMs: 1,
    peakDeviceBytes,
    peakHostBytes: 40,
    offloadBytes: 100 * index,
    prefetchBytes: 100 * index,
    spillWriteBytes: 0,
    spillReadBytes: 0,
    copyMs: 0,
    stallMs: 0,
    demandFetches: 0,
    recomputeMs: 0,
    kernels: 1,
  };
}

export function step(index: number, wallMs: number, peakDeviceBytes = 1000): StepFacts {
  return { index, loss: 2 - index / 10, wallMs, iteration: iteration(index, peakDeviceBytes), memory: MEMORY };
}

export function fingerprint(run: RunKind, hash: string): Message {
  return { kind: "fingerprint", run, fingerprint: { steps: 2, losses: [2, 1.9], hash } };
}

/** What a run of two steps tells, to its end. */
export function wholeRun(run: RunKind, { hash = "same", peakBytes = 1000 } = {}): Message[] {
  return [
    { kind: "loaded", run, facts: FACTS },
    { kind: "step", run, step: step(0, 500, peakBytes) },
    { kind: "step", run, step: step(1, 10, peakBytes) },
    fingerprint(run, hash),
    { kind: "ended", run, how: "finished", files: null },
  ];
}
