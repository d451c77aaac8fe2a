/** One lane of a step as a row of bars, on the time axis of the chart above it. */
import { joinBars, type LaneRow } from "./lanes.ts";
import { element, escapeText, text } from "./svg.ts";

/** Where a chart over time has its parts, in pixels. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Of the lanes. */
  readonly end: number;
  readonly narrow: boolean;
  readonly x: (ms: number) => number;
  readonly y: (bytes: number) => number;
}

export const TICK_PX = 12;
const LANE = 26;
const BAR = 16;
/** On a phone a lane's name stands above it. */
const ABOVE = 14;
/** Pixels: narrower bars are joined. */
const LEAST_BAR = 2;

export function laneHeight(narrow: boolean): number {
  return narrow ? LANE + ABOVE : LANE;
}

/** The row below the chart that is number `index`: its name, a track, and the bars on it. */
export function drawLane({ name, bars, busyMs }: LaneRow, index: number, endMs: number, frame: Frame): string {
  const { left, right, bottom, narrow, x } = frame;
  const height = laneHeight(narrow);
  const top = bottom + 14 + index * height + (narrow ? ABOVE : 0);
  const share =
    bars.length === 0
      ? narrow
        ? "nothing"
        : ""
      : `${((100 * busyMs) / endMs).toFixed(busyMs < endMs / 10 ? 1 : 0)} %`;
  const label = narrow
    ? text({ x: left, y: top - 4, "font-size": TICK_PX }, `${name}, ${share}`)
    : text({ x: left - 8, y: top + BAR - 4, "text-anchor": "end", "font-size": TICK_PX }, `${name} ${share}`.trim());
  const joined = joinBars(bars, (LEAST_BAR * endMs) / (right - left));
  const rects = joined.map(({ kind, fromMs, toMs, label: title }) => {
    const wide = x(toMs) - x(fromMs);
    // A hair's breadth between neighbours, where there is one to spare.
    const shape = { x: x(fromMs), y: top, width: Math.max(0.6, wide > 3 ? wide - 0.6 : wide), height: BAR };
    // Nothing can point at a bar on a small screen.
    const hint = narrow ? [] : [element("title", {}, [escapeText(title)])];
    return element("rect", { ...shape, fill: `var(--${kind})` }, hint);
  });
  const track = element("rect", { x: left, y: top, width: right - left, height: BAR, fill: "var(--band)" });
  const note =
    narrow || bars.length > 0 ? "" : text({ x: left + 6, y: top + BAR - 4, "font-size": TICK_PX }, "nothing");
  return element("g", {}, [label, track, note, ...rects]);
}
