/** How a line of a chart looks: colour, dashes and the shape of its marks, the same in the chart and in its legend. */
import { type Attributes, element, type Theme } from "./svg.ts";

/** `line` has marks and a colour; `dashed` and `dotted` are for bounds and references. */
export type LineStyle = "line" | "dashed" | "dotted";

const SIZE = 4.5;
const MARKS = ["circle", "square", "triangle", "diamond", "flipped", "cross", "hexagon", "plus"] as const;
type Mark = (typeof MARKS)[number];

export interface Look {
  /** Of the line. */
  readonly line: Attributes & { readonly stroke: string };
  readonly mark: Mark;
}

/** @param index which colour and mark; they begin again after the last */
export function looks(index: number, style: LineStyle, { ink, palette }: Theme): Look {
  const isLine = style === "line";
  return {
    line: {
      fill: "none",
      stroke: isLine ? (palette[index % palette.length] ?? ink) : ink,
      "stroke-width": isLine ? 2 : 1.5,
      "stroke-linejoin": "round",
      "stroke-dasharray": style === "dashed" ? "7 5" : style === "dotted" ? "1.5 4" : undefined,
      "stroke-linecap": style === "dotted" ? "round" : undefined,
    },
    mark: MARKS[index % MARKS.length] ?? "circle",
  };
}

export function markAt(x: number, y: number, mark: Mark, stroke: string): string {
  const style = { fill: stroke, "fill-opacity": 0.25, stroke, "stroke-width": 1.5 };
  const polygon = (...corners: readonly (readonly [number, number])[]): string =>
    element("polygon", {
      points: corners.map(([dx, dy]) => `${pixel(x + dx * SIZE)},${pixel(y + dy * SIZE)}`).join(" "),
      ...style,
    });
  const strokes = (...lines: readonly (readonly [number, number, number, number])[]): string =>
    element("path", {
      d: lines
        .map(
          ([x1, y1, x2, y2]) =>
            `M${pixel(x + x1 * SIZE)} ${pixel(y + y1 * SIZE)}L${pixel(x + x2 * SIZE)} ${pixel(y + y2 * SIZE)}`,
        )
        .join(""),
      stroke,
      "stroke-width": 2,
    });
  switch (mark) {
    case "circle":
      return element("circle", { cx: x, cy: y, r: SIZE, ...style });
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

/** Hundredths are enough. */
export function pixel(value: number): number {
  return Math.round(value * 100) / 100;
}
