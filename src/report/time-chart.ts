/**
 * Memory over time, and below it, on the same axis, what ran: the lanes of one step.
 *
 *   bytes   forward   | backward    | update      passes, or iterations
 *   |- - - - - - - - - - - - - - -  budget
 *   |    ___/~~~\___
 *   |___/           \______
 *   compute  ▆▆▆▆▆▆▆▆▆▆▆▆▆▆
 *   offload    ▆▆  ▆▆
 *   prefetch            ▆▆  ▆▆
 *   +----------------------- ms
 *
 * Memory is exact to the pixel (samples.ts); bars narrower than a pixel or two stand for several (lanes.ts).
 */
import { formatBytes, formatMs, GIB, KIB, MIB } from "../units.ts";
import { drawLane, type Frame, laneHeight, TICK_PX } from "./lane-drawing.ts";
import type { LaneRow } from "./lanes.ts";
import { pixel } from "./marks.ts";
import { type ByteSample, thinSamples } from "./samples.ts";
import { scaleFor } from "./scale.ts";
import { document, element, FAINT_OPACITY, text, textWidth } from "./svg.ts";

export interface TimeSeries {
  readonly name: string;
  /** A CSS colour; a variable of the page's. */
  readonly colour: string;
  readonly samples: readonly ByteSample[];
  /** The area below the line is tinted. Default false. */
  readonly filled?: boolean;
  /** As `stroke-dasharray` has it. Default: none. */
  readonly dash?: string;
  /** Where the line ends. Default: with the chart. */
  readonly endMs?: number;
}

export interface Band {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TimeChart {
  readonly title: string;
  /** For those who cannot see it. Default: what the lines reach and how long the lanes are busy. */
  readonly description?: string;
  readonly endMs: number;
  readonly series: readonly TimeSeries[];
  /** Budgets, as dashed lines. One far above everything is left out, so that the rest can be seen. */
  readonly limits: readonly { readonly name: string; readonly bytes: number }[];
  readonly bands: readonly Band[];
  readonly lanes: readonly LaneRow[];
}

/** Beyond this many times the highest value a budget would flatten the chart. */
const LIMIT_IN_SIGHT = 3;
const PLOT_HEIGHT = { wide: 240, narrow: 190 };
const NARROW_BELOW = 600;

/** @param id what the ids in it begin with; unique in the page */
export function renderTimeChart(
  chart: TimeChart,
  { id, width }: { readonly id: string; readonly width: number },
): string {
  const narrow = width < NARROW_BELOW;
  const most = Math.max(1, ...chart.series.map(({ samples }) => highestOf(samples)));
  const limits = chart.limits.filter(({ bytes }) => bytes <= most * LIMIT_IN_SIGHT);
  const highest = Math.max(most, ...limits.map(({ bytes }) => bytes));
  const [unit, unitBytes] = unitOf(highest);
  const scale = scaleFor([0, (highest * 1.04) / unitBytes], { kind: "linear", from: 0, ticks: narrow ? 4 : 5 });
  const ticks = scale.ticks.map((tick) => ({ bytes: tick * unitBytes, label: String(tick) }));
  const left = narrow
    ? 12 + Math.max(...ticks.map(({ label }) => textWidth(label, TICK_PX)))
    : chart.lanes.length > 0
      ? 118
      : 56;
  const [top, right] = [44, width - 10];
  const bottom = top + (narrow ? PLOT_HEIGHT.narrow : PLOT_HEIGHT.wide);
  const end = bottom + (chart.lanes.length === 0 ? 0 : 10 + chart.lanes.length * laneHeight(narrow));
  const endMs = Math.max(chart.endMs, 1e-6);
  const frame: Frame = {
    left,
    right,
    top,
    bottom,
    end,
    narrow,
    x: (ms) => left + ((right - left) * Math.min(ms, endMs)) / endMs,
    y: (bytes) => bottom - (bottom - top) * scale.at(bytes / unitBytes),
  };
  const { title, description = describe(chart) } = chart;
  return document({ width, height: end + 44, title, description, id }, [
    text({ x: 2, y: 16, "font-size": TICK_PX }, unit),
    ...outOfSight(
      chart.limits.filter((each) => !limits.includes(each)),
      frame,
    ),
    ...bands(chart.bands, frame),
    ...grid(ticks, frame),
    ...chart.series.map((series) => line(series, endMs, frame)),
    ...limits.map(({ bytes, name }) => limit(`${name} ${formatBytes(bytes)}`, frame.y(bytes), frame)),
    ...chart.lanes.map((row, i) => drawLane(row, i, endMs, frame)),
    ...timeAxis(endMs, frame),
  ]);
}

function highestOf(samples: readonly ByteSample[]): number {
  return samples.reduce((most, { bytes }) => Math.max(most, bytes), 0);
}

function unitOf(bytes: number): readonly [string, number] {
  if (bytes >= 2 * GIB) return ["GiB", GIB];
  return bytes >= 2 * MIB ? ["MiB", MIB] : ["KiB", KIB];
}

/** Every other band is tinted; a name that has no room is left out. */
function bands(all: readonly Band[], { x, top, end }: Frame): string[] {
  return all.flatMap(({ name, fromMs, toMs }, i) => {
    const [from, to] = [x(fromMs), x(toMs)];
    const tint =
      i % 2 === 1
        ? [
            element("rect", {
              x: from,
              y: top - 22,
              width: Math.max(0, to - from),
              height: end - top + 22,
              fill: "var(--band)",
            }),
          ]
        : [];
    const label =
      textWidth(name, TICK_PX) < to - from - 4
        ? [text({ x: (from + to) / 2, y: top - 8, "text-anchor": "middle", "font-size": TICK_PX }, name)]
        : [];
    return [...tint, ...label];
  });
}

function grid(ticks: readonly { readonly bytes: number; readonly label: string }[], frame: Frame): string[] {
  const { left, right, y } = frame;
  return ticks.flatMap(({ bytes, label }) => [
    element("line", {
      x1: left,
      x2: right,
      y1: y(bytes),
      y2: y(bytes),
      stroke: "var(--ink)",
      "stroke-opacity": bytes === 0 ? 0.8 : FAINT_OPACITY,
    }),
    text({ x: left - 7, y: y(bytes) + 4, "text-anchor": "end", "font-size": TICK_PX }, label),
  ]);
}

/** Steps, as bytes come and go at once. */
function line(
  { colour, samples, filled = false, dash, endMs: lastMs }: TimeSeries,
  endMs: number,
  frame: Frame,
): string {
  const { left, right, bottom, x, y } = frame;
  const thin = thinSamples(samples, endMs / (right - left));
  const [first] = thin;
  if (first === undefined) return "";
  const steps = thin.slice(1).map(({ timeMs, bytes }) => `H${pixel(x(timeMs))}V${pixel(y(bytes))}`);
  const path = `M${pixel(x(first.timeMs))} ${pixel(y(first.bytes))}${steps.join("")}H${pixel(x(lastMs ?? endMs))}`;
  const area = filled
    ? element("path", { d: `${path}V${pixel(bottom)}H${pixel(x(first.timeMs))}Z`, fill: colour, "fill-opacity": 0.16 })
    : "";
  return `${area}${element("path", {
    d: path,
    fill: "none",
    stroke: colour,
    "stroke-width": 1.6,
    "stroke-dasharray": dash,
    "stroke-linejoin": "round",
  })}`;
}

const halo = { stroke: "var(--card)", "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" };

/** Budgets that are far above everything are named above the chart. */
function outOfSight(limits: TimeChart["limits"], { right }: Frame): string[] {
  if (limits.length === 0) return [];
  const names = limits.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(", ");
  const place = { x: right, y: 16, "text-anchor": "end", "font-size": TICK_PX, fill: "var(--limit)" };
  return [text(place, `${names}: above the chart`)];
}

function limit(label: string, y: number, { left, right }: Frame): string {
  return [
    element("line", {
      x1: left,
      x2: right,
      y1: y,
      y2: y,
      stroke: "var(--limit)",
      "stroke-width": 1.5,
      "stroke-dasharray": "7 5",
    }),
    // With a rim of the ground's colour, so that it is read where a line runs through it.
    text({ ...halo, x: right - 3, y: y - 5, "text-anchor": "end", "font-size": TICK_PX, fill: "var(--limit)" }, label),
  ].join("");
}

function timeAxis(endMs: number, { left, right, end, narrow, x }: Frame): string[] {
  const [unit, unitMs] = endMs >= 10_000 ? (["s", 1000] as const) : (["ms", 1] as const);
  const scale = scaleFor([0, endMs / unitMs], { kind: "linear", from: 0, ticks: narrow ? 4 : 8 });
  const ticks = scale.ticks.filter((tick) => tick * unitMs <= endMs * 1.0001);
  return [
    element("line", { x1: left, x2: right, y1: end, y2: end, stroke: "var(--ink)" }),
    ...ticks.flatMap((tick) => {
      const at = x(tick * unitMs);
      // The last number must not run out of the picture.
      const anchor = at > right - 16 ? "end" : "middle";
      return [
        element("line", { x1: at, x2: at, y1: end, y2: end + 5, stroke: "var(--ink)" }),
        text({ x: at, y: end + 19, "text-anchor": anchor, "font-size": TICK_PX }, String(tick)),
      ];
    }),
    text({ x: (left + right) / 2, y: end + 37, "text-anchor": "middle", "font-size": TICK_PX }, `time, ${unit}`),
  ];
}

function describe({ endMs, series, limits, lanes }: TimeChart): string {
  const peaks = series.map(({ name, samples }) => `${name}: at most ${formatBytes(highestOf(samples))}.`);
  const busy = lanes.map(({ name, busyMs, bars }) =>
    bars.length === 0 ? `${name}: nothing.` : `${name}: busy for ${formatMs(busyMs)}.`,
  );
  const budgets = limits.map(({ name, bytes }) => `${name}: ${formatBytes(bytes)}.`);
  return [`Memory over ${formatMs(endMs)}.`, ...peaks, ...budgets, ...busy].join(" ");
}
