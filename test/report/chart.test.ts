/** Charts as SVG: well-formed, complete, inside their frame, and free of numbers that are none. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LineChart, renderLineChart } from "../../src/report/chart.ts";
import { scaleFor } from "../../src/report/scale.ts";
import { escapeText, PALETTE } from "../../src/report/svg.ts";

const CHART: LineChart = {
  title: "step time",
  notes: ["on a machine"],
  x: { label: "budget, MiB" },
  y: { label: "time, ms" },
  series: [
    {
      name: "auto",
      points: [
        { x: 16, y: 120 },
        { x: 32, y: 100 },
      ],
    },
    { name: "liveness", points: [{ x: 32, y: 100 }] },
    {
      name: "bound",
      style: "dashed",
      points: [
        { x: 16, y: 110 },
        { x: 32, y: 100 },
      ],
    },
  ],
};

/** Times and bytes: nobody draws the ends of what a double can hold. */
const SOME_NUMBER = fc.oneof(
  fc.double({ min: 1e-9, max: 1e15, noNaN: true }),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => Math.round(value * 1e6) / 1e6),
);

/** Tags in balance, attributes quoted, nothing that is not text in between. Returns the names of all elements. */
function elementsOf(svg: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const rest = svg.replaceAll(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>/g,
    (_, close: string, name: string, _attributes: string, empty: string) => {
      if (close === "/") expect(open.pop()).toBe(name);
      else {
        names.push(name);
        if (empty === "") open.push(name);
      }
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;)/);
  return names;
}

describe("renderLineChart", () => {
  it("is one well-formed document with a title and a description", () => {
    const svg = renderLineChart(CHART);
    const names = elementsOf(svg);
    expect(names.slice(0, 3)).toEqual(["svg", "title", "desc"]);
    expect(svg).toContain('<title id="title">step time</title>');
    expect(svg).toContain("auto: 120 at 16, 100 at 32.");
    for (const text of ["on a machine", "budget, MiB", "time, ms; the axis does not begin at 0", "auto", "bound"]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("needs nothing from elsewhere", () => {
    expect(renderLineChart(CHART)).not.toMatch(/href|url\(|<script|<style|@import/);
  });

  it("draws bounds below lines, dashed and without marks", () => {
    const svg = renderLineChart(CHART);
    const dashed = svg.indexOf("stroke-dasharray");
    expect(dashed).toBeGreaterThan(0);
    expect(dashed).toBeLessThan(svg.indexOf(PALETTE[0] ?? "none"));
  });

  it("breaks a line where there is no value, and names a line that has none", () => {
    const points = [16, 20, 24, 28, 32].map((x) => ({ x, y: x === 24 ? Number.NaN : 100 + x }));
    const svg = renderLineChart({
      ...CHART,
      series: [
        { name: "gap", points },
        { name: "empty", points: [] },
      ],
    });
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).toContain("gap: 116 at 16, 132 at 32. empty: no points.");
    expect(svg).not.toContain("NaN");
  });

  it("draws an empty chart too", () => {
    expect(() => elementsOf(renderLineChart({ ...CHART, series: [] }))).not.toThrow();
  });

  it("stays well-formed and inside its frame, whatever the numbers and names", () => {
    const value = fc.oneof(SOME_NUMBER, fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY));
    const series = fc.record({
      name: fc.string({ maxLength: 20, unit: "binary" }),
      points: fc.array(fc.record({ x: value, y: value }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 8 }), (list) => {
        const svg = renderLineChart({ ...CHART, series: list });
        elementsOf(svg);
        expect(svg).not.toMatch(/="[^"]*(NaN|Infinity)/);
        for (const [, cx = ""] of svg.matchAll(/<circle cx="([^"]+)"/g)) {
          expect(Number(cx)).toBeGreaterThan(0);
          expect(Number(cx)).toBeLessThan(860);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("scaleFor", () => {
  it("puts round numbers at both ends", () => {
    expect(scaleFor([13, 97]).ticks).toEqual([0, 20, 40, 60, 80, 100]);
    expect(scaleFor([0.12, 0.31]).ticks).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
  });

  it("is logarithmic where values are far apart, in steps of 1, 2 and 5", () => {
    expect(scaleFor([90, 4000])).toMatchObject({ kind: "log", ticks: [100, 200, 500, 1000, 2000] });
    expect(scaleFor([90, 4000], { kind: "linear" }).kind).toBe("linear");
  });

  it("has a place for every value", () => {
    fc.assert(
      fc.property(fc.array(SOME_NUMBER, { minLength: 1 }), (values) => {
        const scale = scaleFor(values);
        for (const value of values) {
          expect(scale.at(value)).toBeGreaterThanOrEqual(-1e-6);
          expect(scale.at(value)).toBeLessThanOrEqual(1 + 1e-6);
        }
        expect(scale.ticks.length).toBeLessThan(2000);
      }),
    );
  });
});

describe("escapeText", () => {
  it("leaves nothing that XML would read or refuse", () => {
    expect(escapeText(`<a href="x">&\u0000</a>`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;\uFFFD&lt;/a&gt;");
  });
});
