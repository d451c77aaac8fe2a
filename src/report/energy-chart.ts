/**
 * Where energy goes, as SVG: one bar per layer, stacked by part.
 *
 *   title
 *   notes
 *   [] DRAM  [] buffer  [] ...          The legend lies above the bars, as names of layers take the left and totals the right.
 *   conv1 |####==--              12 µJ
 *   conv2 |########====---       31 µJ
 *         +----------------
 */
import { type Scale, scaleFor } from "./scale.ts";
import { document, element, FAINT_OPACITY, INK, PALETTE, text, textWidth } from "./svg.ts";

export interface EnergyBar {
  readonly name: string;
  /** pJ, one for each of the chart's parts. */
  readonly partsPj: readonly number[];
}

export interface EnergyChart {
  readonly title: string;
  /** Lines below the title. */
  readonly notes?: readonly string[];
  /** What bars are stacked from, left to right. */
  readonly parts: readonly string[];
  readonly bars: readonly EnergyBar[];
  /** Pixels. Default 860; the height follows from the number of bars. */
  readonly width?: number;
}

const TITLE_PX = 16;
const SMALL_PX = 12;
const NOTE_LINE = 18;
const BAR = 16;
const BAR_LINE = 22;
const SWATCH = 12;

export interface EnergyUnit {
  readonly name: string;
  readonly pj: number;
}

const UNITS: readonly EnergyUnit[] = [
  { name: "J", pj: 1e12 },
  { name: "mJ", pj: 1e9 },
  { name: "µJ", pj: 1e6 },
  { name: "nJ", pj: 1e3 },
];
const SMALLEST: EnergyUnit = { name: "pJ", pj: 1 };

/** The unit in which a number of picojoules has at least one digit before the point. */
export function energyUnit(pj: number): EnergyUnit {
  return UNITS.find((unit) => pj >= unit.pj) ?? SMALLEST;
}

export function renderEnergyChart(chart: EnergyChart): string {
  const { title, notes = [], parts, bars, width = 860 } = chart;
  const totals = bars.map(totalOf);
  const unit = energyUnit(Math.max(0, ...totals));
  const label = (bar: EnergyBar): string => `${shown(totalOf(bar) / unit.pj)} ${unit.name}`;
  const scale = scaleFor(
    totals.map((total) => total / unit.pj),
    { kind: "linear", from: 0, ticks: 8 },
  );
  const top = 60 + notes.length * NOTE_LINE + legendLines(parts, width) * NOTE_LINE;
  const bottom = top + bars.length * BAR_LINE;
  const plot: Plot = {
    left: 26 + Math.max(0, ...bars.map(({ name }) => textWidth(name, SMALL_PX))),
    right: width - 22 - Math.max(0, ...bars.map((bar) => textWidth(label(bar), SMALL_PX))),
    top,
    bottom,
    scale,
    unit,
  };
  const height = bottom + 52;
  return document({ width, height, title, description: describe(chart, unit) }, [
    text({ x: 12, y: 26, "font-size": TITLE_PX, "font-weight": 600 }, title),
    ...notes.map((note, i) => text({ x: 12, y: 46 + i * NOTE_LINE, "font-size": SMALL_PX }, note)),
    ...legend(parts, width, 50 + notes.length * NOTE_LINE),
    ...axis(plot),
    ...bars.flatMap((bar, i) => stack(bar, label(bar), top + i * BAR_LINE, plot)),
  ]);
}

interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly scale: Scale;
  readonly unit: EnergyUnit;
}

function totalOf({ partsPj }: EnergyBar): number {
  return partsPj.reduce((sum, part) => sum + part, 0);
}

function axis({ left, right, top, bottom, scale, unit }: Plot): string[] {
  const grid = { stroke: INK, "stroke-opacity": FAINT_OPACITY, "stroke-width": 1 };
  return [
    ...scale.ticks.flatMap((tick) => {
      const x = left + (right - left) * scale.at(tick);
      return [
        element("line", { x1: x, x2: x, y1: top, y2: bottom, ...grid }),
        text({ x, y: bottom + 18, "text-anchor": "middle", "font-size": SMALL_PX }, String(tick)),
      ];
    }),
    text({ x: (left + right) / 2, y: bottom + 40, "text-anchor": "middle" }, `energy, ${unit.name}`),
  ];
}

function stack(bar: EnergyBar, label: string, y: number, { left, right, scale, unit }: Plot): string[] {
  const at = (pj: number): number => left + (right - left) * scale.at(pj / unit.pj);
  const middle = y + BAR / 2 + 4;
  let below = 0;
  const pieces = bar.partsPj.flatMap((pj, i) => {
    const [from, to] = [at(below), at(below + pj)];
    below += pj;
    return pj > 0 ? [element("rect", { x: from, y, width: to - from, height: BAR, fill: colour(i) })] : [];
  });
  return [
    text({ x: left - 8, y: middle, "text-anchor": "end", "font-size": SMALL_PX }, bar.name),
    ...pieces,
    text({ x: at(below) + 6, y: middle, "font-size": SMALL_PX }, label),
  ];
}

function colour(part: number): string {
  return PALETTE[part % PALETTE.length] ?? INK;
}

interface Entry {
  readonly name: string;
  readonly x: number;
  readonly line: number;
}

/** Left to right, on as many lines as it takes. */
function placed(parts: readonly string[], width: number): Entry[] {
  let [x, line] = [12, 0];
  return parts.map((name) => {
    const advance = SWATCH + 6 + textWidth(name, SMALL_PX) + 16;
    if (x > 12 && x + advance > width) [x, line] = [12, line + 1];
    const entry = { name, x, line };
    x += advance;
    return entry;
  });
}

function legendLines(parts: readonly string[], width: number): number {
  return 1 + Math.max(0, ...placed(parts, width).map(({ line }) => line));
}

function legend(parts: readonly string[], width: number, top: number): string[] {
  return placed(parts, width).flatMap(({ name, x, line }, i) => {
    const y = top + line * NOTE_LINE;
    return [
      element("rect", { x, y: y - SWATCH + 2, width: SWATCH, height: SWATCH, fill: colour(i) }),
      text({ x: x + SWATCH + 6, y, "font-size": SMALL_PX }, name),
    ];
  });
}

function describe({ parts, bars }: EnergyChart, unit: EnergyUnit): string {
  const lines = bars.map((bar) => {
    const pieces = bar.partsPj.map((pj, i) => `${parts[i] ?? ""} ${shown(pj / unit.pj)}`).join(", ");
    return `${bar.name}: ${shown(totalOf(bar) / unit.pj)} (${pieces}).`;
  });
  return `Energy per layer in ${unit.name}. ${lines.join(" ")}`;
}

/** Three digits. */
function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
