/**
 * Bars as SVG, level, one below the other, each stacked from parts: data in, text out.
 *
 *   title
 *   notes
 *   [] DRAM  [] buffer  [] ...          The legend lies above the bars, as names take the left and totals the right.
 *   conv1 |####==--              12 µJ
 *   conv2 |########====---       31 µJ
 *         +----------------
 */
import { type Scale, scaleFor } from "./scale.ts";
import {
  document,
  element,
  EMBEDDED,
  FAINT_OPACITY,
  fitted,
  heading,
  NOTE_LINE,
  STANDALONE,
  text,
  textWidth,
  type Theme,
} from "./svg.ts";

export interface Bar {
  readonly name: string;
  /** One for each of the chart's parts, not negative, in the axis's unit. */
  readonly values: readonly number[];
  /** Behind its end. */
  readonly label: string;
}

export interface BarChart {
  readonly title: string;
  /** Lines below the title. */
  readonly notes?: readonly string[];
  /** For those who cannot see it. */
  readonly description: string;
  /** What the axis measures, with its unit. */
  readonly axis: string;
  /** What bars are stacked from, left to right. Without a name where there is but one. */
  readonly parts: readonly string[];
  readonly bars: readonly Bar[];
  /** Pixels. Default 860; the height follows from the number of bars. */
  readonly width?: number;
  /** Inside a page, which has title, notes, legend and colours of its own: what the ids begin with. Default: a file of its own. */
  readonly id?: string | undefined;
}

const SMALL_PX = 12;
const BAR = 16;
const BAR_LINE = 22;
const SWATCH = 12;
/** About one tick for so many pixels. */
const TICK_GAP = 90;
/** Of the width, for names: what a user calls a layer can be longer than a phone is wide. The description has all of it. */
const NAMES_SHARE = 0.4;

export function renderBarChart(chart: BarChart): string {
  const { title, notes = [], description, parts, width = 860, id } = chart;
  const bars = chart.bars.map((bar) => ({ ...bar, name: fitted(bar.name, NAMES_SHARE * width, SMALL_PX) }));
  const alone = id === undefined;
  const left = 26 + Math.max(0, ...bars.map(({ name }) => textWidth(name, SMALL_PX)));
  const right = width - 22 - Math.max(0, ...bars.map(({ label }) => textWidth(label, SMALL_PX)));
  const top = alone ? 60 + notes.length * NOTE_LINE + legendLines(parts, width) * NOTE_LINE : 12;
  const bottom = top + bars.length * BAR_LINE;
  const scale = scaleFor(bars.map(totalOf), {
    kind: "linear",
    from: 0,
    ticks: Math.max(2, Math.round((right - left) / TICK_GAP)),
  });
  const plot: Plot = { left, right, top, bottom, scale, theme: alone ? STANDALONE : EMBEDDED };
  return document({ width, height: bottom + 52, title, description, id }, [
    ...(alone ? heading(title, notes) : []),
    ...(alone ? legend(parts, 50 + notes.length * NOTE_LINE, width) : []),
    ...axis(chart.axis, plot),
    ...bars.flatMap((bar, i) => stack(bar, top + i * BAR_LINE, plot)),
  ]);
}

interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly scale: Scale;
  readonly theme: Theme;
}

function totalOf({ values }: Bar): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function axis(label: string, { left, right, top, bottom, scale, theme }: Plot): string[] {
  const grid = { stroke: theme.ink, "stroke-opacity": FAINT_OPACITY, "stroke-width": 1 };
  return [
    ...scale.ticks.flatMap((tick) => {
      const x = left + (right - left) * scale.at(tick);
      return [
        element("line", { x1: x, x2: x, y1: top, y2: bottom, ...grid }),
        text({ x, y: bottom + 18, "text-anchor": "middle", "font-size": SMALL_PX }, String(tick)),
      ];
    }),
    text({ x: (left + right) / 2, y: bottom + 40, "text-anchor": "middle" }, label),
  ];
}

function stack(bar: Bar, y: number, { left, right, scale, theme }: Plot): string[] {
  const at = (value: number): number => left + (right - left) * scale.at(value);
  const middle = y + BAR / 2 + 4;
  let below = 0;
  const pieces = bar.values.flatMap((value, i) => {
    const [from, to] = [at(below), at(below + value)];
    below += value;
    return value > 0
      ? [element("rect", { x: from, y, width: to - from, height: BAR, fill: partColour(i, theme) })]
      : [];
  });
  return [
    text({ x: left - 8, y: middle, "text-anchor": "end", "font-size": SMALL_PX }, bar.name),
    ...pieces,
    text({ x: at(below) + 6, y: middle, "font-size": SMALL_PX }, bar.label),
  ];
}

/** The same in a chart and in the legend of a page. */
export function partColour(part: number, { ink, palette }: Theme): string {
  return palette[part % palette.length] ?? ink;
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

function legend(parts: readonly string[], top: number, width: number): string[] {
  return placed(parts, width).flatMap(({ name, x, line }, i) => {
    const y = top + line * NOTE_LINE;
    return [
      element("rect", { x, y: y - SWATCH + 2, width: SWATCH, height: SWATCH, fill: partColour(i, STANDALONE) }),
      text({ x: x + SWATCH + 6, y, "font-size": SMALL_PX }, name),
    ];
  });
}
