import { expect, test } from "vitest";
import { Tracer } from "../../src/runtime/tracer.ts";

test("a trace that does not end has its first and its newest events, and says how many are missing", () => {
  const tracer = new Tracer({ trace: true, history: false, now: () => 0 });
  const span = (startMs: number): void =>
    tracer.span({
      lane: "compute",
      name: "Add",
      startMs,
      durationMs: 1,
      iteration: 0,
      layer: undefined,
      pass: undefined,
      bytes: undefined,
    });
  for (let i = 0; i < 250_000; i++) span(i);
  expect(tracer.warnings).toEqual([]);
  for (let i = 250_000; i < 300_000; i++) span(i);
  const { events } = tracer;
  expect(events).toHaveLength(250_000);
  expect([0, 49_999, 50_000, 249_999].map((i) => events[i])).toMatchObject(
    [0, 49_999, 100_000, 299_999].map((startMs) => ({ startMs })),
  );
  expect(tracer.warnings).toEqual([
    "the trace has its first 50000 and its newest 200000 events; 50000 between them are left out",
  ]);
});
