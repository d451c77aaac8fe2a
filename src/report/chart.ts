/**
 * Line charts as SVG: data in, text out. It knows axes and lines and nothing of policies or budgets.
 *
 *   title                                  The legend has a column of its own, so that it covers nothing. Lines differ by colour
 *   notes                                  and by the shape of their marks; marks are hollow, so that one on another is seen.
 *   |   o---o            legend
 *   |        o---o       legend
 *   +---------------
 */
import { type Scale, type ScaleOptions, scaleFor } from "./scale.ts";
import { document, element, FAINT_OPACITY, INK, PALETTE, text, textWidth } from "./svg.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  /** Ascending in x. Points that are not finite are left out, and the line is broken there. */
  readonly points: readonly Point[];
  /** `line` has marks and a colour; `dashed` and `dotted` are for bounds and references. Default `line`. */
  readonly style?: "line" | "dashed" | "dotted";
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
}

const TITLE_PX = 16;
const TICK_PX = 12;
const NOTE_LINE = 18;
const MARK = 4.5;
const LEGEND_LINE = 22;
const LEGEND_SWATCH = 30;

interface Plot {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly x: Scale;
  readonly y: Scale;
}

export function renderLineChart(chart: LineChart): string {
  const { title, notes = [], series, width = 860, height = 460 } = chart;
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
    top: 64 + notes.length * NOTE_LINE,
    right: width - legendWidth - 34,
    bottom: height - 58,
    x,
    y,
  };
  const shapes = series.map((each, i) => draw(each, i, plot));
  return document({ width, height, title, description: chart.description ?? describe(chart) }, [
    text({ x: 12, y: 26, "font-size": TITLE_PX, "font-weight": 600 }, title),
    ...notes.map((note, i) => text({ x: 12, y: 46 + i * NOTE_LINE, "font-size": TICK_PX }, note)),
    ...axes(chart, plot, yTicks),
    // Bounds lie below what they bound.
    ...shapes.filter((_, i) => isReference(series[i])),
    ...shapes.filter((_, i) => !isReference(series[i])),
    ...legend(series, plot),
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
  const grid = { stroke: INK, "stroke-opacity": FAINT_OPACITY, "stroke-width": 1 };
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
      element("line", { x1: xAt(tick), x2: xAt(tick), y1: bottom, y2: bottom + 5, stroke: INK }),
      text({ x: xAt(tick), y: bottom + 20, "text-anchor": "middle", "font-size": TICK_PX }, format(tick)),
    ]),
    element("line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: INK }),
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
  const { line, mark } = looks(series, index);
  const paths = runs
    .filter((run) => run.length > 1)
    .map((run) => element("polyline", { points: run.map(({ x, y }) => `${pixel(x)},${pixel(y)}`).join(" "), ...line }));
  const marks = isReference(series) ? [] : runs.flat().map(({ x, y }) => markAt(x, y, mark, line.stroke));
  return element("g", {}, ["\n", ...[...paths, ...marks].map((shape) => `${shape}\n`)]);
}

function pixel(value: number): number {
  return Math.round(value * 100) / 100;
}

const MARKS = ["circle", "square", "triangle", "diamond", "flipped", "cross", "hexagon", "plus"] as const;

function looks(series: Series, place: number) {
  const index = series.look ?? place;
  const isLine = !isReference(series);
  return {
    line: {
      fill: "none",
      stroke: isLine ? (PALETTE[index % PALETTE.length] ?? INK) : INK,
      "stroke-width": isLine ? 2 : 1.5,
      "stroke-linejoin": "round",
      "stroke-dasharray": series.style === "dashed" ? "7 5" : series.style === "dotted" ? "1.5 4" : undefined,
      "stroke-linecap": series.style === "dotted" ? "round" : undefined,
    },
    mark: MARKS[index % MARKS.length] ?? "circle",
  } as const;
}

function markAt(x: number, y: number, mark: (typeof MARKS)[number], stroke: string): string {
  const style = { fill: stroke, "fill-opacity": 0.25, stroke, "stroke-width": 1.5 };
  const polygon = (...corners: readonly (readonly [number, number])[]): string =>
    element("polygon", {
      points: corners.map(([dx, dy]) => `${pixel(x + dx * MARK)},${pixel(y + dy * MARK)}`).join(" "),
      ...style,
    });
  const strokes = (...lines: readonly (readonly [number, number, number, number])[]): string =>
    element("path", {
      d: lines
        .map(
          ([x1, y1, x2, y2]) =>
            `M${pixel(x + x1 * MARK)} ${pixel(y + y1 * MARK)}L${pixel(x + x2 * MARK)} ${pixel(y + y2 * MARK)}`,
        )
        .join(""),
      stroke,
      "stroke-width": 2,
    });
  switch (mark) {
    case "circle":
      return element("circle", { cx: x, cy: y, r: MARK, ...style });
    case "square":
      return polygon([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
    case "triangle":
      return polygon([0, -1.15], [1.1, 0.85], [-1.1, 0.85]);
    case "diamond":
      return polygon([0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]);
    case "hexagon":
      return polygon([-1.1, 0], [-0.55, -0.95], [0.55, -0.95], [1.1, 0], [0.55, 0.95], [-0.55, 0.95]);
    case "cross":
      return strokes([-0.9, -0.9, 0.9, 0.9], [-0.9, 0.9, 0.9, -0.9]);
    case "plus":
      return strokes([-1.2, 0, 1.2, 0], [0, -1.2, 0, 1.2]);
    case "flipped":
      return polygon([0, 1.15], [1.1, -0.85], [-1.1, -0.85]);
  }
  return mark satisfies never;
}

function legend(series: readonly Series[], { right, top }: Plot): string[] {
  return series.map((each, i) => {
    const y = top + 8 + i * LEGEND_LINE;
    const x = right + 22;
    const { line, mark } = looks(each, i);
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
