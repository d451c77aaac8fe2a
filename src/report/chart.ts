/**
 * Line charts as SVG: data in, text out. It knows axes and lines and nothing of policies or budgets.
 *
 *   title                                  The legend has a column of its own, so that it covers nothing. Lines differ by colour
 *   notes                                  and by the shape of their marks; marks are hollow, so that one on another is seen.
 *   |   o---o            legend
 *   |        o---o       legend
 *   +---------------
 */
import { type LineStyle, looks, markAt, pixel } from "./marks.ts";
import { type Scale, type ScaleOptions, scaleFor } from "./scale.ts";
import {
  document,
  element,
  EMBEDDED,
  FAINT_OPACITY,
  heading,
  NOTE_LINE,
  STANDALONE,
  text,
  textWidth,
  type Theme,
} from "./svg.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  /** Ascending in x. Points that are not finite are left out, and the line is broken there. */
  readonly points: readonly Point[];
  /** Default `line`. */
  readonly style?: LineStyle;
  /** Which colour and mark; the same number looks the same in every chart. Default: the place in the list. */
  readonly look?: number;
}

export interface Axis extends ScaleOptions {
  /** With its unit. */
  readonly label: string;
  /** Text of a tick. */
  readonly format?: (value: number) => string;
}

export interface LineChart {
  readonly title: string;
  /** Lines below the title. */
  readonly notes?: readonly string[];
  /** For those who cannot see it. Default: the names of the lines, with their ends. */
  readonly description?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** Pixels. Default 860 by 460. */
  readonly width?: number;
  readonly height?: number;
  /** Inside a page, which has title, notes, legend and colours of its own: what the ids begin with. Default: a file of its own. */
  readonly id?: string | undefined;
}

const TICK_PX = 12;
const LEGEND_LINE = 22;
const LEGEND_SWATCH = 30;

interface Plot {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly x: Scale;
  readonly y: Scale;
  readonly theme: Theme;
}

export function renderLineChart(chart: LineChart): string {
  const { title, notes = [], series, width = 860, height = 460, id } = chart;
  const alone = id === undefined;
  const values = series.flatMap(({ points }) => points.filter(isFinitePoint));
  const x = scaleFor(
    values.map((point) => point.x),
    chart.x,
  );
  const y = scaleFor(
    values.map((point) => point.y),
    chart.y,
  );
  const yTicks = y.ticks.map(chart.y.format ?? String);
  const legendWidth = LEGEND_SWATCH + 8 + Math.max(0, ...series.map(({ name }) => textWidth(name)));
  const plot: Plot = {
    left: 34 + Math.max(...yTicks.map((tick) => textWidth(tick, TICK_PX))),
    top: alone ? 64 + notes.length * NOTE_LINE : 34,
    right: alone ? width - legendWidth - 34 : width - 16,
    bottom: height - 58,
    x,
    y,
    theme: alone ? STANDALONE : EMBEDDED,
  };
  const shapes = series.map((each, i) => draw(each, i, plot));
  return document({ width, height, title, description: chart.description ?? describe(chart), id }, [
    ...(alone ? heading(title, notes) : []),
    ...axes(chart, plot, yTicks),
    // Bounds lie below what they bound.
    ...shapes.filter((_, i) => isReference(series[i])),
    ...shapes.filter((_, i) => !isReference(series[i])),
    ...(alone ? legend(series, plot) : []),
  ]);
}

function isReference(series: Series | undefined): boolean {
  return series?.style === "dashed" || series?.style === "dotted";
}

function isFinitePoint({ x, y }: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

function axes({ x: xAxis, y: yAxis }: LineChart, plot: Plot, yTicks: readonly string[]): string[] {
  const { left, right, top, bottom, x, y } = plot;
  const { ink } = plot.theme;
  const grid = { stroke: ink, "stroke-opacity": FAINT_OPACITY, "stroke-width": 1 };
  const format = xAxis.format ?? String;
  const xAt = (value: number): number => placeX(plot, value);
  return [
    ...y.ticks.flatMap((tick, i) => {
      const at = placeY(plot, tick);
      return [
        element("line", { x1: left, x2: right, y1: at, y2: at, ...grid }),
        text({ x: left - 8, y: at + 4, "text-anchor": "end", "font-size": TICK_PX }, yTicks[i] ?? ""),
      ];
    }),
    ...x.ticks.flatMap((tick) => [
      element("line", { x1: xAt(tick), x2: xAt(tick), y1: bottom, y2: bottom + 5, stroke: ink }),
      text({ x: xAt(tick), y: bottom + 20, "text-anchor": "middle", "font-size": TICK_PX }, format(tick)),
    ]),
    element("line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: ink }),
    text(
      { x: (left + right) / 2, y: bottom + 44, "text-anchor": "middle" },
      `${xAxis.label}${x.kind === "log" ? ", logarithmic" : ""}`,
    ),
    // Above the axis and level, so that it is read without turning one's head.
    text(
      { x: 12, y: top - 12, "font-size": TICK_PX },
      `${yAxis.label}${y.kind === "log" ? ", logarithmic" : y.from > 0 ? "; the axis does not begin at 0" : ""}`,
    ),
  ];
}

function placeX({ left, right, x }: Plot, value: number): number {
  return left + (right - left) * x.at(value);
}

function placeY({ top, bottom, y }: Plot, value: number): number {
  return bottom - (bottom - top) * y.at(value);
}

function draw(series: Series, index: number, plot: Plot): string {
  const runs: Point[][] = [[]];
  for (const point of series.points) {
    if (isFinitePoint(point)) runs.at(-1)?.push({ x: placeX(plot, point.x), y: placeY(plot, point.y) });
    else runs.push([]);
  }
  const { line, mark } = looks(series.look ?? index, series.style ?? "line", plot.theme);
  const paths = runs
    .filter((run) => run.length > 1)
    .map((run) => element("polyline", { points: run.map(({ x, y }) => `${pixel(x)},${pixel(y)}`).join(" "), ...line }));
  const marks = isReference(series) ? [] : runs.flat().map(({ x, y }) => markAt(x, y, mark, line.stroke));
  return element("g", {}, ["\n", ...[...paths, ...marks].map((shape) => `${shape}\n`)]);
}

function legend(series: readonly Series[], { right, top, theme }: Plot): string[] {
  return series.map((each, i) => {
    const y = top + 8 + i * LEGEND_LINE;
    const x = right + 22;
    const { line, mark } = looks(each.look ?? i, each.style ?? "line", theme);
    // A line without points is named all the same, faintly.
    const opacity = each.points.some(isFinitePoint) ? undefined : 0.55;
    return element("g", { opacity }, [
      element("line", { x1: x, x2: x + LEGEND_SWATCH, y1: y, y2: y, ...line }),
      ...(isReference(each) ? [] : [markAt(x + LEGEND_SWATCH / 2, y, mark, line.stroke)]),
      text({ x: x + LEGEND_SWATCH + 8, y: y + 4.5 }, each.name),
    ]);
  });
}

function describe({ x, y, series }: LineChart): string {
  const say = (axis: Axis, value: number): string => (axis.format ?? String)(value);
  const lines = series.map(({ name, points }) => {
    const drawn = points.filter(isFinitePoint);
    const [first, last] = [drawn[0], drawn.at(-1)];
    if (first === undefined || last === undefined) return `${name}: no points.`;
    return `${name}: ${say(y, first.y)} at ${say(x, first.x)}, ${say(y, last.y)} at ${say(x, last.x)}.`;
  });
  return `${y.label} over ${x.label}. ${lines.join(" ")}`;
}
