/**
 * A data set of drawn digits, made here from a seed: for machines without MNIST, and in its format. Every digit is drawn by a pen of
 * its own width on paper that is shifted, scaled, turned, slanted and bent, and grain lies over it. The same seed gives the same bytes.
 */
import { VdnnError } from "../errors.ts";
import { deriveSeed, mulberry32 } from "../networks/data.ts";
import { type Glyph, GLYPHS, type Point } from "./glyphs.ts";
import type { DataSplit, LabeledImages } from "./images.ts";

export interface DigitOptions {
  /** Images to train on. Default 12,000. */
  readonly trainCount?: number;
  /** Images to measure on. Default 5,000. */
  readonly testCount?: number;
  /** Height and width, pixels. Default 28. */
  readonly imageSize?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Factor on every distortion and on the grain; 0 draws clean, upright digits. Default 1. */
  readonly difficulty?: number;
}

/** Largest values at difficulty 1, where not said otherwise to both sides. */
const SHIFT = 0.1;
const SCALE = 0.22;
const TURN = 0.26;
const SLANT = 0.26;
/** Displacement of a point by the paper's bends, and how many bends a digit's height has at most. */
const BEND = 0.07;
const BENDS = 1.6;
/** Radius of the pen, of the digit's height. */
const PEN = { thinnest: 0.028, thickest: 0.075 };
/** Standard deviation of the grain, of white. */
const GRAIN = 0.1;
/** Of the image's height that an undistorted digit takes. */
const SIZE = 0.8;

const WHITE = 255;

/** Two sets of digits that no drawing belongs to both of. */
export function drawnDigits(options: DigitOptions = {}): DataSplit {
  const { trainCount = 12_000, testCount = 5_000, imageSize = 28, seed = 1, difficulty = 1 } = options;
  for (const [option, value] of Object.entries({ trainCount, testCount, imageSize })) {
    if (!Number.isSafeInteger(value) || value < 1) throw invalid(option, "a whole number of at least 1", value);
  }
  if (!Number.isSafeInteger(seed)) throw invalid("seed", "an integer", seed);
  if (!(difficulty >= 0 && difficulty <= 2)) throw invalid("difficulty", "a number from 0 to 2", difficulty);
  const draw = (count: number, part: string): LabeledImages =>
    drawSet(count, imageSize, difficulty, mulberry32(deriveSeed(seed, part)));
  return { train: draw(trainCount, "train"), test: draw(testCount, "test") };
}

function invalid(option: string, expected: string, got: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `digits: expected ${option} to be ${expected}, got ${String(got)}`, {
    option,
    got,
  });
}

function drawSet(count: number, side: number, difficulty: number, random: () => number): LabeledImages {
  const pixels = new Uint8Array(count * side * side);
  const labels = new Uint8Array(count);
  const ink = new Float32Array(side * side);
  for (let image = 0; image < count; image++) {
    const digit = Math.floor(random() * GLYPHS.length);
    const forms = GLYPHS[digit] ?? [];
    const glyph = forms[Math.floor(random() * forms.length)] ?? [];
    const radius = side * (PEN.thinnest + (PEN.thickest - PEN.thinnest) * random());
    ink.fill(0);
    drawStrokes(ink, side, distorted(glyph, side, difficulty, random), radius);
    const pressure = 1 - 0.35 * difficulty * random();
    const from = image * side * side;
    for (const [pixel, amount] of ink.entries()) {
      const value = amount * pressure + GRAIN * difficulty * bell(random);
      pixels[from + pixel] = Math.round(WHITE * Math.min(1, Math.max(0, value)));
    }
    labels[image] = digit;
  }
  return { count, height: side, width: side, classes: GLYPHS.length, pixels, labels };
}

/** The glyph in pixels, on its own bent, slanted, scaled, turned and shifted paper. */
function distorted(glyph: Glyph, side: number, difficulty: number, random: () => number): Glyph {
  const within = (limit: number): number => limit * difficulty * (2 * random() - 1);
  const [bendX, bendY] = [bend(within, random), bend(within, random)];
  const slant = within(SLANT);
  const [scaleX, scaleY] = [SIZE * (1 + within(SCALE)), SIZE * (1 + within(SCALE))];
  const angle = within(TURN);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [shiftX, shiftY] = [within(SHIFT), within(SHIFT)];
  const place = (point: Point): Point => {
    const y = (point.y - 0.5 + bendY(point)) * scaleY;
    const x = (point.x - 0.5 + bendX(point)) * scaleX - slant * y;
    return { x: side * (0.5 + shiftX + cos * x - sin * y), y: side * (0.5 + shiftY + sin * x + cos * y) };
  };
  return glyph.map((stroke) => stroke.map(place));
}

/** A slow wave over the paper. */
function bend(within: (limit: number) => number, random: () => number): (point: Point) => number {
  const amplitude = within(BEND);
  const [alongX, alongY] = [(2 * random() - 1) * BENDS, (2 * random() - 1) * BENDS];
  const phase = random();
  return ({ x, y }) => amplitude * Math.sin(2 * Math.PI * (alongX * x + alongY * y + phase));
}

/** Ink by distance from the pen's line: full up to the radius, and over the width of a pixel down to none. */
function drawStrokes(ink: Float32Array, side: number, glyph: Glyph, radius: number): void {
  for (const stroke of glyph) {
    for (let i = 1; i < stroke.length; i++) drawPiece(ink, side, stroke[i - 1] as Point, stroke[i] as Point, radius);
  }
}

function drawPiece(ink: Float32Array, side: number, from: Point, to: Point, radius: number): void {
  const reach = radius + 1;
  const [left, right] = [Math.min(from.x, to.x) - reach, Math.max(from.x, to.x) + reach];
  const [top, bottom] = [Math.min(from.y, to.y) - reach, Math.max(from.y, to.y) + reach];
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const lengthSquared = dx * dx + dy * dy || 1;
  for (let row = Math.max(0, Math.floor(top)); row < Math.min(side, bottom); row++) {
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(side, right); column++) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = Math.min(1, Math.max(0, (x * dx + y * dy) / lengthSquared));
      const distance = Math.hypot(x - along * dx, y - along * dy);
      const amount = Math.min(1, Math.max(0, radius + 0.5 - distance));
      const pixel = row * side + column;
      if (amount > (ink[pixel] ?? 0)) ink[pixel] = amount;
    }
  }
}

/** Close to a normal distribution of mean 0 and deviation 1: the sum of four uniform numbers has deviation 1/sqrt(3). */
function bell(random: () => number): number {
  return (random() + random() + random() + random() - 2) * Math.sqrt(3);
}
