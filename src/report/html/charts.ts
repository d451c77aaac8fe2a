/** Charts as blocks of a page: each drawn for a desktop and for a phone, with a legend that wraps. */
import { type BarChart, partColour, renderBarChart } from "../bar-chart.ts";
import { type LineChart, renderLineChart, type Series } from "../chart.ts";
import type { BarKind, LaneRow } from "../lanes.ts";
import { looks, markAt } from "../marks.ts";
import { element, EMBEDDED } from "../svg.ts";
import { renderTimeChart, type TimeChart } from "../time-chart.ts";
import type { Block, LegendEntry } from "./page.ts";

const WIDE = 980;
const NARROW = 360;

/** @param id unique in the page */
export function timeChartBlock(id: string, chart: TimeChart): Block {
  return {
    kind: "chart",
    wide: renderTimeChart(chart, { id: `${id}-wide`, width: WIDE }),
    narrow: renderTimeChart(chart, { id: `${id}-narrow`, width: NARROW }),
    legend: timeChartLegend(chart),
  };
}

export function timeChartLegend({ series, lanes }: Pick<TimeChart, "series" | "lanes">): LegendEntry[] {
  return [
    ...series.map(({ name, colour, dash }) => ({ name, swatch: lineSwatch(colour, dash) })),
    ...barKinds(lanes).map((kind) => ({ name: BAR_NAMES[kind], swatch: barSwatch(`var(--${kind})`) })),
  ];
}

/** @param id unique in the page */
export function lineChartBlock(id: string, chart: LineChart): Block {
  return {
    kind: "chart",
    wide: renderLineChart({ ...chart, id: `${id}-wide`, width: WIDE, height: 420 }),
    narrow: renderLineChart({
      ...chart,
      id: `${id}-narrow`,
      width: NARROW,
      height: 340,
      x: few(chart.x),
      y: few(chart.y),
    }),
    legend: lineChartLegend(chart),
  };
}

export function lineChartLegend({ series }: Pick<LineChart, "series">): LegendEntry[] {
  return series.map(seriesEntry);
}

/** @param id unique in the page */
export function barChartBlock(id: string, chart: BarChart): Block {
  const { parts } = chart;
  return {
    kind: "chart",
    wide: renderBarChart({ ...chart, id: `${id}-wide`, width: WIDE }),
    narrow: renderBarChart({ ...chart, id: `${id}-narrow`, width: NARROW }),
    legend: parts.length < 2 ? [] : parts.map((name, i) => ({ name, swatch: barSwatch(partColour(i, EMBEDDED)) })),
  };
}

function few<A extends LineChart["x"]>(axis: A): A {
  return { ...axis, ticks: 4 };
}

const BAR_NAMES: Readonly<Record<BarKind, string>> = {
  forward: "forward kernel",
  backward: "backward kernel",
  update: "update kernel",
  again: "kernel that runs again",
  offload: "offload, device to host",
  prefetch: "prefetch, host to device",
  "spill-write": "host to spill file",
  "spill-read": "spill file to host",
  stall: "stall: compute waits",
};

function barKinds(lanes: readonly LaneRow[]): BarKind[] {
  const found = new Set(lanes.flatMap(({ bars }) => bars.map(({ kind }) => kind)));
  return (Object.keys(BAR_NAMES) as BarKind[]).filter((kind) => found.has(kind));
}

function seriesEntry({ name, look, style = "line" }: Series, index: number): LegendEntry {
  const { line, mark } = looks(look ?? index, style, EMBEDDED);
  const marks = style === "line" ? [markAt(15, 7, mark, line.stroke)] : [];
  return { name, swatch: swatch([element("line", { x1: 0, x2: 30, y1: 7, y2: 7, ...line }), ...marks]) };
}

function lineSwatch(colour: string, dash: string | undefined): string {
  return swatch([
    element("line", { x1: 2, x2: 28, y1: 7, y2: 7, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash }),
  ]);
}

function barSwatch(colour: string): string {
  return swatch([element("rect", { x: 8, y: 1, width: 20, height: 12, fill: colour })]);
}

/** The name stands beside it. */
function swatch(children: readonly string[]): string {
  return element("svg", { viewBox: "0 0 30 14", "aria-hidden": "true" }, children);
}
