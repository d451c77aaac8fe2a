/** Pages: complete in themselves, well-formed whatever names are in them, readable in both sets of colours. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineChartBlock } from "../../../src/report/html/charts.ts";
import { type Page, renderPage, tableBlock } from "../../../src/report/html/page.ts";
import { sampled, sessionPage } from "../../../src/report/html/session-page.ts";
import { STYLE } from "../../../src/report/html/style.ts";
import type { TraceHistory } from "../../../src/report/history.ts";
import { IterationRecorder } from "../../../src/report/iterations.ts";
import type { IterationResult, SessionReport } from "../../../src/report/result.ts";
import { MIB } from "../../../src/units.ts";
import { elementsOf, expectSound } from "./markup.ts";
import { iterationResult } from "../../support/iterations.ts";

const WHEN = new Date("2026-01-02T03:04:05Z");

function pageOf(name: string): Page {
  return {
    title: name,
    lead: [name],
    source: "measured",
    command: "run",
    figures: [{ label: name, value: name, note: name }],
    sections: [
      {
        title: name,
        blocks: [
          { kind: "text", text: name },
          { kind: "notes", notes: [name], areWarnings: true },
          { kind: "preformatted", lines: [name] },
          tableBlock(
            name,
            [
              { title: name, align: "left", cell: (row: string) => row },
              { title: "", cell: () => "" },
            ],
            [name],
          ),
          lineChartBlock("chart", {
            title: name,
            x: { label: name },
            y: { label: name },
            series: [
              {
                name,
                points: [
                  { x: 1, y: 2 },
                  { x: 2, y: 3 },
                ],
              },
            ],
          }),
        ],
      },
    ],
  };
}

const iteration = (index: number): IterationResult => iterationResult(index, index === 0 ? "recorded" : "planned");

function reportOf(count: number): SessionReport {
  const recorder = new IterationRecorder();
  for (let i = 0; i < count; i++) recorder.add(iteration(i));
  const { totals, iterations } = recorder.facts;
  return {
    schema: "vdnn-report/2",
    source: "measured",
    backend: "wasm",
    policy: "auto",
    deviceMemoryBytes: 128 * MIB,
    hostMemoryBytes: null,
    spill: null,
    totals,
    iterations,
    peakDeviceBytes: 96 * MIB,
    peakHostBytes: 200 * MIB,
    peakSpillBytes: 0,
    steadyPeakDeviceBytes: 90 * MIB,
    laterPeakDeviceBytes: 90 * MIB,
    plans: [],
    warnings: ["the <device> refused"],
  };
}

const HISTORY: TraceHistory = {
  memory: [0, 5, 9].map((timeMs) => ({ kind: "counter", timeMs, deviceBytes: 4 * MIB, hostBytes: 0, spillBytes: 0 })),
  resolutionMs: 2,
  samples: 700,
  startsMs: [0],
  steps: [
    {
      index: 0,
      mode: "recorded",
      droppedEvents: 12,
      events: [
        {
          kind: "span",
          lane: "compute",
          name: "Conv2D",
          startMs: 0,
          durationMs: 9,
          iteration: 0,
          layer: "<b>",
          pass: "forward",
        },
        { kind: "counter", timeMs: 0, deviceBytes: 4 * MIB, hostBytes: 0, spillBytes: 0 },
      ],
    },
  ],
};

describe("renderPage", () => {
  it("is one document that forbids itself to load or run anything", () => {
    const html = renderPage(pageOf("train.mjs"), WHEN);
    expectSound(html);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(html).toContain("on 2026-01-02 03:04 UTC");
    expect(elementsOf(html).filter((name) => name === "h1")).toHaveLength(1);
  });

  it.each(["<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title></style><b>", "a & b < c\u0000"])(
    "lets the name %j be text",
    (name) => {
      const html = renderPage(pageOf(name), WHEN);
      elementsOf(html);
      expect(elementsOf(html)).toEqual(elementsOf(renderPage(pageOf("train.mjs"), WHEN)));
    },
  );

  it("has the same elements whatever the names are", () => {
    const plain = elementsOf(renderPage(pageOf("x"), WHEN));
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 30 }), (name) => {
        expect(elementsOf(renderPage(pageOf(`x${name}`), WHEN))).toEqual(plain);
      }),
      { numRuns: 60 },
    );
  });

  it("gives a column without a title one, as readers need it", () => {
    expect(renderPage(pageOf("x"), WHEN)).toContain('<th scope="col">notes</th>');
  });
});

describe("sessionPage", () => {
  const pageFor = (iterations: number, history: TraceHistory | null): string =>
    renderPage(
      sessionPage({ title: "train.mjs", lead: [], command: "run", report: reportOf(iterations), history }),
      WHEN,
    );

  it("shows memory and lanes, and says what was thinned", () => {
    const html = pageFor(3, HISTORY);
    expectSound(html);
    expect(html).toContain("Thinned from 700 samples to 3: the highest of every 2.00 ms");
    expect(html).toContain("12 events of this step, its last, are not shown");
    expect(html).toContain("the &lt;device&gt; refused");
    expect(html).toContain("&lt;b&gt; Conv2D");
    expect(html).toContain("of 128 MiB budget");
  });

  it("has a table of what was measured even without a history", () => {
    const html = pageFor(3, null);
    expectSound(html);
    expect(html.match(/<tr>/g)).toHaveLength(4);
  });

  it("samples the iterations of a long run, and says so", () => {
    const html = pageFor(1000, null);
    expect(html).toContain(
      "60 of 1000 are shown: the first 20, then some, evenly spaced, up to the last; --report out.json has all.",
    );
    expect(sampled(Array.from({ length: 1000 }, (_, i) => i))).toEqual(expect.arrayContaining([0, 19, 999]));
    expect(sampled([1, 2])).toEqual([1, 2]);
    fc.assert(
      fc.property(fc.integer({ min: 61, max: 5000 }), (length) => {
        const rows = sampled(Array.from({ length }, (_, i) => i));
        expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b));
        expect([rows[0], rows.at(-1)]).toEqual([0, length - 1]);
      }),
    );
  });
});

describe("sessionPage of a run with more iterations than its report", () => {
  const html = renderPage(
    sessionPage({ title: "x", lead: [], command: "run", report: reportOf(5000), history: null }),
    WHEN,
  );

  it("counts them all and says which are shown", () => {
    expectSound(html);
    expect(html).toContain("1 recorded, 4999 planned");
    expect(html).toContain("median of 1019 steps");
    expect(html).toContain(
      "60 of 5000 are shown: the first 20, then some of the newest, evenly spaced, up to the last",
    );
    expect(html).toContain("--report out.json has the first and the newest, 1020 in all");
  });
});

describe("the colours", () => {
  const sets = STYLE.split("prefers-color-scheme").map(
    (text) =>
      new Map([...text.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map(([, name = "", hex = ""]) => [name, hex])),
  );

  it.each([
    ["light", 0],
    ["dark", 1],
  ] as const)("of the %s set can be read: text 4.5 : 1, lines and bars 3 : 1", (_, i) => {
    const set = sets[i] ?? new Map<string, string>();
    const ratio = (name: string, ground: string): number => contrast(set.get(name) ?? "", set.get(ground) ?? "");
    for (const name of ["text", "ink", "accent", "limit"]) {
      for (const ground of ["card", "page"])
        expect(ratio(name, ground), `${name} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
    const drawn = [...set.keys()].filter(
      (name) => !["page", "card", "line", "text", "ink", "accent", "band"].includes(name),
    );
    expect(drawn.length).toBeGreaterThanOrEqual(20);
    for (const name of drawn) expect(ratio(name, "card"), name).toBeGreaterThanOrEqual(3);
  });
});

/** As WCAG 2 has it. */
function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
