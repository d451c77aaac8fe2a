/**
 * The little of SVG that charts need, as strings: elements, text that is escaped, and the palette. Charts are files of their own:
 * no script, no font, no style sheet from elsewhere, no background, and colours that can be read on white and on black.
 */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** @param children elements, already as text */
export function element(name: string, attributes: Attributes, children: readonly string[] = []): string {
  const pairs = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escapeText(typeof value === "number" ? decimal(value) : value)}"`],
  );
  const head = `<${name}${pairs.join("")}`;
  return children.length === 0 ? `${head}/>` : `${head}>${children.join("")}</${name}>`;
}

export function text(attributes: Attributes, content: string): string {
  return element("text", attributes, [escapeText(content)]);
}

/** Characters that XML 1.0 has no place for, not even escaped. */
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;
const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function escapeText(content: string): string {
  return content.replaceAll(FORBIDDEN, "\uFFFD").replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}

/** A hundredth of a pixel is enough. */
function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`a chart has no place for ${value}`);
  return String(Math.round(value * 100) / 100);
}

/** Paul Tol's "vibrant" scheme (https://personal.sron.nl/~pault/), which the colour-blind can tell apart too. */
export const PALETTE: readonly string[] = [
  "#0077bb",
  "#ee7733",
  "#009988",
  "#ee3377",
  "#33bbee",
  "#cc3311",
  // Not in the scheme, which has seven with its grey; apart from the others in lightness too.
  "#997700",
  "#7755bb",
];
/** Of lines and text: at least 4 : 1 against white and against GitHub's dark background. */
export const INK = "#6e7781";
/** What a drawing takes its colours from. */
export interface Theme {
  readonly ink: string;
  readonly palette: readonly string[];
}

export const STANDALONE: Theme = { ink: INK, palette: PALETTE };
/** Inside a page, whose style sheet has the colours, two of each (html/style.ts). */
export const EMBEDDED: Theme = { ink: "var(--ink)", palette: PALETTE.map((_, i) => `var(--c${i})`) };

/** Of grids: seen, and never in the way. */
export const FAINT_OPACITY = 0.25;

export const FONT_PX = 13;
export const FONT_FAMILY = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif";
/** Width of an average character as a share of the font's size, on the safe side: there is nothing here to measure text with. */
const CHARACTER_WIDTH = 0.6;

export function textWidth(content: string, fontPx: number = FONT_PX): number {
  return content.length * fontPx * CHARACTER_WIDTH;
}

/** A text cut to the room that there is: what stays is its beginning and its end, which tell names apart. */
export function fitted(content: string, roomPx: number, fontPx: number = FONT_PX): string {
  const characters = Array.from(content);
  const most = Math.max(1, Math.floor(roomPx / (fontPx * CHARACTER_WIDTH)));
  if (characters.length <= most) return content;
  const head = characters.slice(0, Math.ceil((most - 1) / 2));
  const tail = characters.slice(characters.length - (most - 1 - head.length));
  return `${head.join("")}…${tail.join("")}`;
}

const TITLE_PX = 16;
const NOTE_PX = 12;
export const NOTE_LINE = 18;

/** Title and notes of a chart that is a file of its own, from its top: 46 pixels, and a line for each note. */
export function heading(title: string, notes: readonly string[]): string[] {
  return [
    text({ x: 12, y: 26, "font-size": TITLE_PX, "font-weight": 600 }, title),
    ...notes.map((note, i) => text({ x: 12, y: 46 + i * NOTE_LINE, "font-size": NOTE_PX }, note)),
  ];
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** All that a reader without eyes for the picture needs. */
  readonly description: string;
  /** Inside a page: what its ids begin with; it has the page's fonts and colours then, and takes the width that there is. */
  readonly id?: string | undefined;
}

/** The document around a chart's elements. */
export function document({ width, height, title, description, id }: Frame, children: readonly string[]): string {
  const alone = id === undefined;
  const prefix = alone ? "" : `${id}-`;
  const attributes = {
    xmlns: alone ? "http://www.w3.org/2000/svg" : undefined,
    viewBox: `0 0 ${width} ${height}`,
    width: alone ? width : undefined,
    height: alone ? height : undefined,
    role: "img",
    "aria-labelledby": `${prefix}title ${prefix}description`,
    "font-family": alone ? FONT_FAMILY : undefined,
    "font-size": FONT_PX,
    fill: alone ? INK : EMBEDDED.ink,
  };
  return `${element("svg", attributes, [
    "\n",
    element("title", { id: `${prefix}title` }, [escapeText(title)]),
    "\n",
    element("desc", { id: `${prefix}description` }, [escapeText(description)]),
    "\n",
    children.join("\n"),
    "\n",
  ])}\n`;
}
