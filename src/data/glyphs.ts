/**
 * The ten digits as pens draw them: strokes of straight pieces in a unit square, x to the right and y down. Some digits have
 * more than one form, as handwriting does.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Points that the pen goes through without leaving the paper. */
export type Stroke = readonly Point[];
export type Glyph = readonly Stroke[];

/** Straight pieces for a full turn; at 28 pixels one is shorter than two pixels. */
const PIECES_PER_TURN = 28;

/** Part of an ellipse. Degrees from the right, clockwise as y points down: 90 is its lowest point. */
function arc(x: number, y: number, radiusX: number, radiusY: number, from: number, to: number): Stroke {
  const pieces = Math.max(2, Math.ceil((Math.abs(to - from) / 360) * PIECES_PER_TURN));
  return Array.from({ length: pieces + 1 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / pieces) * Math.PI) / 180;
    return { x: x + radiusX * Math.cos(angle), y: y + radiusY * Math.sin(angle) };
  });
}

/** Straight lines through `x1, y1, x2, y2, …`, each cut in pieces so that a bend of the paper bends them too. */
function line(...coordinates: readonly number[]): Stroke {
  const points: Point[] = [];
  for (let i = 0; i + 3 < coordinates.length; i += 2) {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = coordinates.slice(i, i + 4);
    for (let piece = i === 0 ? 0 : 1; piece <= 4; piece++) {
      points.push({ x: x1 + ((x2 - x1) * piece) / 4, y: y1 + ((y2 - y1) * piece) / 4 });
    }
  }
  return points;
}

/** For each digit its forms. */
export const GLYPHS: readonly (readonly Glyph[])[] = [
  [[arc(0.5, 0.5, 0.28, 0.4, -90, 270)]],
  [[line(0.5, 0.1, 0.5, 0.9)], [line(0.34, 0.28, 0.54, 0.1, 0.54, 0.9)]],
  [
    [[...arc(0.48, 0.34, 0.25, 0.24, 195, 395), ...line(0.65, 0.53, 0.24, 0.9, 0.78, 0.9)]],
    [
      [
        ...arc(0.48, 0.33, 0.24, 0.23, 200, 420),
        ...arc(0.36, 0.78, 0.12, 0.1, 270, -60),
        ...line(0.5, 0.84, 0.8, 0.88),
      ],
    ],
  ],
  [
    [[...arc(0.46, 0.3, 0.23, 0.2, 205, 445), ...arc(0.46, 0.7, 0.27, 0.2, 275, 510)]],
    [[...line(0.26, 0.1, 0.74, 0.1, 0.46, 0.44), ...arc(0.47, 0.67, 0.25, 0.23, 275, 510)]],
  ],
  [
    [line(0.63, 0.9, 0.63, 0.1, 0.2, 0.64, 0.82, 0.64)],
    [line(0.28, 0.1, 0.24, 0.52, 0.76, 0.52), line(0.7, 0.14, 0.68, 0.9)],
  ],
  [[[...line(0.74, 0.1, 0.34, 0.1, 0.3, 0.46), ...arc(0.47, 0.66, 0.26, 0.24, 232, 510)]]],
  [
    [[...arc(0.74, 0.64, 0.48, 0.54, 262, 182), ...arc(0.5, 0.68, 0.24, 0.22, 180, 540)]],
    [[...line(0.6, 0.1, 0.32, 0.5), ...arc(0.5, 0.68, 0.23, 0.22, 200, 560)]],
  ],
  [[line(0.22, 0.12, 0.77, 0.12, 0.42, 0.9)], [line(0.22, 0.12, 0.77, 0.12, 0.44, 0.9), line(0.36, 0.52, 0.72, 0.5)]],
  [[[...arc(0.5, 0.3, 0.2, 0.2, 90, 450), ...arc(0.5, 0.7, 0.25, 0.2, -90, 270)]]],
  [
    [[...arc(0.5, 0.33, 0.22, 0.22, 0, 360), ...line(0.72, 0.33, 0.66, 0.9)]],
    [[...arc(0.5, 0.32, 0.23, 0.22, 0, 360), ...arc(0.3, 0.4, 0.42, 0.5, -8, 75)]],
  ],
];
