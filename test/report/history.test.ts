/** What is kept of a long training: little, and of that all that matters. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HistoryRecorder } from "../../src/report/history.ts";
import type { CounterEvent, LaneEvent } from "../../src/report/result.ts";

const sample = (timeMs: number, deviceBytes: number): CounterEvent => ({
  kind: "counter",
  timeMs,
  deviceBytes,
  hostBytes: 2 * deviceBytes,
  spillBytes: 0,
});

const span = (iteration: number, startMs: number): LaneEvent => ({
  kind: "span",
  lane: "compute",
  name: "Conv2D",
  startMs,
  durationMs: 1,
  iteration,
});

describe("HistoryRecorder", () => {
  it("keeps few samples of many, and among them every tier's peak", () => {
    const bytes = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 2, max: 40 }), (all, samples) => {
        const recorder = new HistoryRecorder({ samples });
        all.forEach((device, i) => recorder.add(sample(i * 0.7, device)));
        const { memory, samples: seen } = recorder.history;
        expect(seen).toBe(all.length);
        expect(memory.length).toBeLessThanOrEqual(samples);
        expect(Math.max(...memory.map(({ deviceBytes }) => deviceBytes))).toBe(Math.max(...all));
        expect(Math.max(...memory.map(({ hostBytes }) => hostBytes))).toBe(2 * Math.max(...all));
        const times = memory.map(({ timeMs }) => timeMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }),
    );
  });

  it("keeps the first step and the last that followed its plan, whole", () => {
    const recorder = new HistoryRecorder();
    for (const [i, mode] of (["recorded", "planned", "planned", "deviated"] as const).entries()) {
      recorder.beginStep(10 * i);
      for (let k = 0; k < 3; k++) recorder.add(span(i, 10 * i + k));
      recorder.endStep(i, mode);
    }
    const { steps, startsMs } = recorder.history;
    expect(steps.map(({ index, mode, events }) => [index, mode, events.length])).toEqual([
      [0, "recorded", 3],
      [2, "planned", 3],
    ]);
    expect(startsMs).toEqual([0, 10, 20, 30]);
  });

  it("names the first step once where it is the last as well", () => {
    const recorder = new HistoryRecorder();
    recorder.beginStep(0);
    recorder.endStep(0, "recorded");
    expect(recorder.history.steps).toHaveLength(1);
  });

  it("counts what it leaves out of a step that is too long, and of starts keeps the first", () => {
    const recorder = new HistoryRecorder({ stepEvents: 4, starts: 1 });
    for (const i of [0, 1]) {
      recorder.beginStep(i);
      for (let k = 0; k < 10; k++) recorder.add(span(i, k));
      recorder.endStep(i, "planned");
    }
    const { steps, startsMs } = recorder.history;
    expect(steps.map(({ events, droppedEvents }) => [events.length, droppedEvents])).toEqual([
      [4, 6],
      [4, 6],
    ]);
    expect(startsMs).toEqual([0]);
  });
});
