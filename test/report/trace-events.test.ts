import { describe, expect, it } from "vitest";
import type { TraceEvent } from "../../src/report/result.ts";
import { toChromeTrace } from "../../src/report/trace-events.ts";

const EVENTS: readonly TraceEvent[] = [
  {
    kind: "span",
    lane: "compute",
    name: "Conv2D",
    startMs: 1.5,
    durationMs: 2,
    layer: "conv1",
    pass: "forward",
    iteration: 0,
  },
  { kind: "span", lane: "spill-write", name: "write", startMs: 2, durationMs: 0.25, bytes: 4096, iteration: 0 },
  { kind: "counter", timeMs: 3, deviceBytes: 10, hostBytes: 20, spillBytes: 30 },
];

describe("toChromeTrace", () => {
  const { traceEvents, displayTimeUnit } = toChromeTrace(EVENTS, "a run");
  const threads = new Map(
    traceEvents.filter(({ name }) => name === "thread_name").map(({ tid, args }) => [tid, args["name"]]),
  );

  it("names one process and one thread per lane", () => {
    expect(displayTimeUnit).toBe("ms");
    expect(traceEvents.find(({ name }) => name === "process_name")).toMatchObject({ args: { name: "a run" } });
    expect([...threads.values()]).toEqual(["compute", "offload", "prefetch", "spill write", "spill read", "stall"]);
    expect(new Set(traceEvents.map(({ pid }) => pid)).size).toBe(1);
  });

  it("puts spans in microseconds on their lane's thread, with what is known of them", () => {
    const spans = traceEvents.filter(({ ph }) => ph === "X");
    expect(spans.map(({ name, ts, dur, tid }) => [name, ts, dur, threads.get(tid)])).toEqual([
      ["Conv2D", 1500, 2000, "compute"],
      ["write", 2000, 250, "spill write"],
    ]);
    expect(spans.map(({ args }) => args)).toEqual([
      { iteration: 0, layer: "conv1", pass: "forward" },
      { iteration: 0, bytes: 4096 },
    ]);
  });

  it("samples a counter per tier", () => {
    const counters = traceEvents.filter(({ ph }) => ph === "C");
    expect(counters.map(({ name, ts, args }) => [name, ts, args["bytes"]])).toEqual([
      ["device bytes", 3000, 10],
      ["host bytes", 3000, 20],
      ["spill bytes", 3000, 30],
    ]);
  });

  it("is JSON as it stands", () => {
    expect(JSON.parse(JSON.stringify(traceEvents))).toEqual(traceEvents);
  });
});
