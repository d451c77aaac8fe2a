/** Memory over time and lanes: nothing is lost that can be seen, and no more is drawn than that. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bar, joinBars, laneRows, passesOf } from "../../src/report/lanes.ts";
import type { LaneEvent, TraceEvent } from "../../src/report/result.ts";
import { type ByteSample, thinSamples, tierSamples } from "../../src/report/samples.ts";
import { stepChart } from "../../src/report/step-view.ts";
import { renderTimeChart } from "../../src/report/time-chart.ts";
import { MIB } from "../../src/units.ts";

const span = (
  lane: LaneEvent["lane"],
  startMs: number,
  durationMs: number,
  more: Partial<LaneEvent> = {},
): LaneEvent => ({
  kind: "span",
  lane,
  name: "Conv2D",
  startMs,
  durationMs,
  iteration: 0,
  ...more,
});

const STEP: readonly TraceEvent[] = [
  span("compute", 100, 10, { layer: "conv1", pass: "forward" }),
  span("offload", 105, 5, { name: "conv1/y", bytes: 3 * MIB }),
  span("compute", 110, 20, { layer: "conv1", pass: "backward" }),
  span("compute", 130, 5, { name: "Relu (again)", pass: "backward" }),
  span("stall", 135, 5, { name: "conv1 waits for memory" }),
  { kind: "counter", timeMs: 100, deviceBytes: 2 * MIB, hostBytes: 0, spillBytes: 0 },
  { kind: "counter", timeMs: 120, deviceBytes: 6 * MIB, hostBytes: 3 * MIB, spillBytes: 0 },
];

function byInterval(samples: readonly ByteSample[], intervalMs: number): Map<number, ByteSample[]> {
  const groups = new Map<number, ByteSample[]>();
  for (const sample of samples) {
    const at = Math.floor(sample.timeMs / intervalMs);
    groups.set(at, [...(groups.get(at) ?? []), sample]);
  }
  return groups;
}

describe("thinSamples", () => {
  it("keeps at most four samples per interval, and among them first, last, lowest and highest", () => {
    const samples = fc.array(fc.nat(1000), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(samples, fc.double({ min: 0.5, max: 400, noNaN: true }), (bytes, intervalMs) => {
        const all = bytes.map((each, timeMs) => ({ timeMs, bytes: each }));
        const thin = thinSamples(all, intervalMs);
        const intervals = byInterval(all, intervalMs);
        const kept = byInterval(thin, intervalMs);
        expect([...kept.keys()]).toEqual([...intervals.keys()]);
        for (const [at, group] of intervals) {
          const few = kept.get(at) ?? [];
          const values = few.map((each) => each.bytes);
          expect(few.length).toBeLessThanOrEqual(4);
          expect([few[0], few.at(-1)]).toEqual([group[0], group.at(-1)]);
          expect(Math.max(...values)).toBe(Math.max(...group.map((each) => each.bytes)));
          expect(Math.min(...values)).toBe(Math.min(...group.map((each) => each.bytes)));
        }
      }),
    );
  });

  it("leaves out samples that say nothing new", () => {
    const counters = [1, 1, 2, 2, 1].map((deviceBytes, timeMs) => ({
      kind: "counter" as const,
      timeMs,
      deviceBytes,
      hostBytes: 0,
      spillBytes: 0,
    }));
    expect(tierSamples(counters, "device").map(({ timeMs }) => timeMs)).toEqual([0, 2, 4]);
  });
});

describe("joinBars", () => {
  const bars = fc
    .array(
      fc.record({ gap: fc.double({ min: 0, max: 3, noNaN: true }), ms: fc.double({ min: 0, max: 3, noNaN: true }) }),
    )
    .map((list) => {
      let at = 0;
      return list.map(({ gap, ms }): Bar => {
        const fromMs = at + gap;
        at = fromMs + ms;
        return { kind: "forward", fromMs, toMs: at, spans: 1, label: "Conv2D: 1 ms" };
      });
    });

  it("loses no span and no time, and joins only what is too narrow to be seen", () => {
    fc.assert(
      fc.property(bars, (list) => {
        const joined = joinBars(list, 1);
        expect(joined.reduce((sum, { spans }) => sum + spans, 0)).toBe(list.length);
        expect(joined.at(-1)?.toMs).toBe(list.at(-1)?.toMs);
        for (const { fromMs, toMs, spans } of joined) if (spans > 1) expect(toMs - fromMs).toBeLessThan(2);
      }),
    );
  });

  it("draws a bounded number of bars, however many kernels there are", () => {
    const many = Array.from({ length: 50_000 }, (_, i): Bar => {
      return { kind: "forward", fromMs: i / 50, toMs: (i + 1) / 50, spans: 1, label: "Conv2D: 0.02 ms" };
    });
    const joined = joinBars(many, 2);
    expect(joined.length).toBeLessThan(600);
    expect(joined[0]?.label).toMatch(/^\d+ from Conv2D: \d/);
  });
});

describe("laneRows", () => {
  it("has compute, offload, prefetch and stall always, and says what each bar is", () => {
    const rows = laneRows(STEP, 100);
    expect(rows.map(({ name, bars, busyMs }) => [name, bars.length, busyMs])).toEqual([
      ["compute", 3, 35],
      ["offload", 1, 5],
      ["prefetch", 0, 0],
      ["stall", 1, 5],
    ]);
    expect(rows[0]?.bars.map(({ kind, label }) => [kind, label])).toEqual([
      ["forward", "conv1 Conv2D: 10.0 ms"],
      ["backward", "conv1 Conv2D: 20.0 ms"],
      ["again", "Relu (again): 5.00 ms"],
    ]);
    expect(rows[1]?.bars[0]?.label).toBe("conv1/y: 5.00 ms, 3 MiB");
  });

  it("knows when the passes run", () => {
    expect(passesOf(STEP, 100, 40)).toEqual([
      { name: "forward", fromMs: 0, toMs: 10 },
      { name: "backward", fromMs: 10, toMs: 40 },
    ]);
  });
});

describe("renderTimeChart", () => {
  const chart = stepChart("one step", STEP, { deviceBytes: 8 * MIB, hostBytes: null });

  it.each([360, 980])("says at %i pixels in words what it shows", (width) => {
    const svg = renderTimeChart(chart, { id: "a", width });
    expect(svg).toContain('aria-labelledby="a-title a-description"');
    expect(svg).toContain('<title id="a-title">one step</title>');
    expect(svg).toContain(
      "Memory over 40.0 ms. device: at most 6 MiB. host (offloaded): at most 3 MiB. device budget: 8 MiB. " +
        "compute: busy for 35.0 ms. offload: busy for 5.00 ms. prefetch: nothing. stall: busy for 5.00 ms.",
    );
    expect(svg).toContain(">device budget 8 MiB</text>");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    for (const [, x = ""] of svg.matchAll(/ x="([^"]+)"/g)) expect(Number(x)).toBeLessThanOrEqual(width);
  });

  it("leaves a budget out of sight that would flatten everything else", () => {
    const svg = renderTimeChart({ ...chart, limits: [{ name: "budget", bytes: 1000 * MIB }] }, { id: "a", width: 980 });
    expect(svg).not.toContain(">budget 1000 MiB</text>");
    expect(svg).toContain(">budget 1000 MiB: above the chart</text>");
    expect(svg).toContain("budget: 1000 MiB.");
  });

  it("escapes the names of layers", () => {
    const events = [span("compute", 0, 10, { layer: '<script>"&' })];
    const svg = renderTimeChart(stepChart("x", events, { deviceBytes: null }), { id: "a", width: 980 });
    expect(svg).toContain("&lt;script&gt;&quot;&amp; Conv2D: 10.0 ms");
    expect(svg).not.toContain("<script>");
  });

  it("draws a step without events", () => {
    expect(() => renderTimeChart(stepChart("x", [], { deviceBytes: null }), { id: "a", width: 360 })).not.toThrow();
  });
});
