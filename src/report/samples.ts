/** Memory counters as lines that a chart can draw: which tiers, how many points. */
import type { CounterEvent, TraceEvent } from "./result.ts";

/** Bytes from a time on, until the next sample. */
export interface ByteSample {
  readonly timeMs: number;
  readonly bytes: number;
}

export type Tier = "device" | "host" | "spill";

export function countersOf(events: readonly TraceEvent[]): CounterEvent[] {
  return events.filter((event) => event.kind === "counter");
}

/** One tier's samples, with times that begin at `fromMs`; samples that repeat the one before are left out. */
export function tierSamples(counters: readonly CounterEvent[], tier: Tier, fromMs = 0): ByteSample[] {
  const samples: ByteSample[] = [];
  for (const counter of counters) {
    const bytes = counter[`${tier}Bytes`];
    if (samples.at(-1)?.bytes !== bytes) samples.push({ timeMs: Math.max(0, counter.timeMs - fromMs), bytes });
  }
  return samples;
}

/**
 * Fewer samples with the same picture, as M4 has it (Jugel et al., VLDB 2014): of each interval that is a pixel wide, the first,
 * the last, the lowest and the highest.
 */
export function thinSamples(samples: readonly ByteSample[], intervalMs: number): ByteSample[] {
  if (!(intervalMs > 0)) return [...samples];
  const kept: ByteSample[] = [];
  for (let from = 0; from < samples.length;) {
    const interval = Math.floor((samples[from]?.timeMs ?? 0) / intervalMs);
    let [to, low, high] = [from, from, from];
    const bytesAt = (i: number): number => samples[i]?.bytes ?? 0;
    while (to < samples.length && Math.floor((samples[to]?.timeMs ?? 0) / intervalMs) === interval) {
      if (bytesAt(to) < bytesAt(low)) low = to;
      if (bytesAt(to) > bytesAt(high)) high = to;
      to++;
    }
    const picked = [...new Set([from, low, high, to - 1])].sort((a, b) => a - b);
    for (const i of picked) kept.push(samples[i] as ByteSample);
    from = to;
  }
  return kept;
}
