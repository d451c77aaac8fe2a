/** The chart of energies: well-formed, inside its frame, bars as long as what they stand for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderBarChart } from "../../src/report/bar-chart.ts";
import { energyChart, energyUnit, type LayerEnergy } from "../../src/report/energy-chart.ts";
import { EMBEDDED, PALETTE } from "../../src/report/svg.ts";

const PARTS = ["DRAM", "buffer", "arithmetic"];
const LAYERS: readonly LayerEnergy[] = [
  { name: "conv1", partsPj: [2e6, 1e6, 1e6] },
  { name: "ip1", partsPj: [8e6, 0, 4e6] },
];
const TEXTS = { title: "lenet5 on eyeriss", notes: ["12 × 14 elements", "energy table horowitz"] };

function drawn(
  layers: readonly LayerEnergy[] = LAYERS,
  texts: typeof TEXTS & { readonly id?: string } = TEXTS,
): string {
  return renderBarChart({ ...texts, ...energyChart(PARTS, layers) });
}

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fill: string;
}

function attribute(tag: string, name: string): string {
  return new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
}

function rectsOf(svg: string): Rect[] {
  return (svg.match(/<rect[^>]*>/g) ?? []).map((tag) => ({
    x: Number(attribute(tag, "x")),
    y: Number(attribute(tag, "y")),
    width: Number(attribute(tag, "width")),
    height: Number(attribute(tag, "height")),
    fill: attribute(tag, "fill"),
  }));
}

/** Without the squares of the legend. */
function piecesOf(svg: string): Rect[] {
  return rectsOf(svg).slice(PARTS.length);
}

describe("a chart of energies", () => {
  it("stacks a bar for each layer, with a colour for each part and nothing for what is zero", () => {
    const pieces = piecesOf(drawn());
    expect(pieces.map(({ fill }) => PALETTE.indexOf(fill))).toEqual([0, 1, 2, 0, 2]);
    expect(new Set(pieces.map(({ y }) => y)).size).toBe(2);
  });

  it("draws lengths in proportion to energies, each piece where the one before ends", () => {
    const [dram, buffer, arithmetic, other] = piecesOf(drawn());
    expect((dram?.width ?? 0) / (buffer?.width ?? 1)).toBeCloseTo(2, 2);
    expect((other?.width ?? 0) / (dram?.width ?? 1)).toBeCloseTo(4, 2);
    expect(buffer?.x).toBeCloseTo((dram?.x ?? 0) + (dram?.width ?? 0), 1);
    expect(arithmetic?.x).toBeCloseTo((buffer?.x ?? 0) + (buffer?.width ?? 0), 1);
  });

  it("writes totals in a unit that suits them, and says all of it in words", () => {
    const svg = drawn();
    expect(svg).toContain(">4 µJ</text>");
    expect(svg).toContain(">12 µJ</text>");
    expect(svg).toContain("ip1: 12 µJ (DRAM 8, buffer 0, arithmetic 4).");
    expect(svg).toContain("energy, µJ");
  });

  it("leaves title, legend and colours to the page it is in", () => {
    const svg = drawn(LAYERS, { ...TEXTS, id: "energy-wide" });
    expect(rectsOf(svg).map(({ fill }) => EMBEDDED.palette.indexOf(fill))).toEqual([0, 1, 2, 0, 2]);
    expect(svg).not.toContain(">DRAM</text>");
    expect(svg).toContain('<title id="energy-wide-title">lenet5 on eyeriss</title>');
  });

  it("cuts names for which there is no room, so that bars have some on a phone", () => {
    const name = `${"block/".repeat(30)}conv`;
    const svg = renderBarChart({ ...TEXTS, ...energyChart(PARTS, [{ name, partsPj: [1, 1, 1] }]), width: 360 });
    expect(svg).toContain(`${name}: 3 pJ`);
    expect(svg).toMatch(/>block\/bloc[^<]*…[^<]*\/conv<\/text>/);
    const ends = piecesOf(svg).map(({ x, width }) => x + width);
    expect(Math.max(...ends) - Math.min(...piecesOf(svg).map(({ x }) => x))).toBeGreaterThan(100);
  });

  it("escapes what names and titles hold", () => {
    const svg = drawn([{ name: 'x"<y>', partsPj: [1, 1, 1] }], { ...TEXTS, title: "a < b & c" });
    expect(svg).toContain("a &lt; b &amp; c");
    expect(svg).not.toMatch(/<y>/);
  });

  it("stays in its frame, whatever the layers and energies", () => {
    const energy = fc.double({ min: 0, max: 1e15, noNaN: true });
    const bar = fc.record({
      name: fc.string({ maxLength: 200 }),
      partsPj: fc.array(energy, { minLength: 3, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(bar, { maxLength: 30 }), fc.constantFrom(360, 860), (bars, asked) => {
        const svg = renderBarChart({ ...TEXTS, ...energyChart(PARTS, bars), width: asked });
        const [width, height] = [Number(attribute(svg, "width")), Number(attribute(svg, "height"))];
        for (const rect of rectsOf(svg)) {
          expect(rect.x).toBeGreaterThanOrEqual(0);
          expect(rect.width).toBeGreaterThanOrEqual(0);
          expect(rect.x + rect.width).toBeLessThanOrEqual(width + 0.02);
          expect(rect.y + rect.height).toBeLessThanOrEqual(height);
        }
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      }),
    );
  });
});

describe("energyUnit", () => {
  it.each([
    [0.5, "pJ"],
    [999, "pJ"],
    [1e3, "nJ"],
    [1e6, "µJ"],
    [2.5e9, "mJ"],
    [1e12, "J"],
  ])("shows %d pJ in %s", (pj, name) => {
    expect(energyUnit(pj).name).toBe(name);
  });
});
