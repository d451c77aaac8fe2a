/** An iteration's result with plain figures, for tests of what reports show. */
import type { IterationResult } from "../../src/report/result.ts";
import { MIB } from "../../src/units.ts";

export function iterationResult(index: number, mode: IterationResult["mode"]): IterationResult {
  return {
    index,
    mode,
    stepMs: 100,
    peakDeviceBytes: 96 * MIB,
    peakHostBytes: 200 * MIB,
    offloadBytes: 50 * MIB,
    prefetchBytes: 40 * MIB,
    spillWriteBytes: 0,
    spillReadBytes: 0,
    copyMs: 1,
    stallMs: 2.5,
    demandFetches: 1,
    recomputeMs: 0,
    kernels: 10,
  };
}
