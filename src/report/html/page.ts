/**
 * A report as one HTML file: data in, text out. The file needs no network and no script, and its own policy forbids both, so
 * that a name from a training script is text there and nothing else.
 */
import { element, escapeText } from "../svg.ts";
import type { Column } from "../table.ts";
import { STYLE } from "./style.ts";

/** One number that matters, with its unit. */
export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
}

export interface LegendEntry {
  readonly name: string;
  /** A small drawing. */
  readonly swatch: string;
}

export type Block =
  | {
      readonly kind: "chart";
      /** The same chart for two widths; one is shown. */
      readonly wide: string;
      readonly narrow: string;
      readonly legend: readonly LegendEntry[];
    }
  | {
      readonly kind: "table";
      readonly caption: string;
      readonly head: readonly { readonly title: string; readonly align: "left" | "right" }[];
      /** The first cell of a row names it. */
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "notes"; readonly notes: readonly string[]; readonly areWarnings?: boolean }
  /** Lines whose columns are aligned by spaces. */
  | { readonly kind: "preformatted"; readonly lines: readonly string[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export interface Page {
  readonly title: string;
  /** Lines below it: the machine, the backend, what was run. */
  readonly lead: readonly string[];
  readonly source: "measured" | "simulated" | "planned";
  readonly command: string;
  readonly figures: readonly Figure[];
  readonly sections: readonly Section[];
}

/** What the badge says about the numbers, for those who wonder. */
const SOURCES: Readonly<Record<Page["source"], string>> = {
  measured: "everything here is measured, on the machine named below",
  simulated: "everything here is simulated; no such device ran",
  planned: "everything here is predicted from a plan; nothing ran",
};

/** A table from the columns that print it on a terminal. A column without a title gets one: readers need it. */
export function tableBlock<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Extract<Block, { kind: "table" }> {
  return {
    kind: "table",
    caption,
    // "x oracle" is one word.
    head: columns.map(({ title, align = "right" }) => ({
      title: title.trim().replace(/^x /, "x\u00A0") || "notes",
      align,
    })),
    rows: rows.map((row) => columns.map(({ cell }) => cell(row).trim())),
  };
}

/** @param madeAt when the report was made */
export function renderPage(page: Page, madeAt: Date): string {
  const { title, lead, source, command, figures, sections } = page;
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // Even if something in here were not escaped: nothing is loaded, and nothing runs.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeText(title)} – vdnn ${command}</title>`,
    `<style>${STYLE}</style>`,
  ];
  const when = madeAt
    .toISOString()
    .replace("T", " ")
    .replace(/:\d\d\..*$/, " UTC");
  return `<!doctype html>
<html lang="en">
<head>
${head.join("\n")}
</head>
<body>
<header>
<p class="eyebrow"><span>vdnn ${escapeText(command)}</span>${element("span", { class: "source" }, [source])}<span>${SOURCES[source]}</span></p>
${element("h1", {}, [escapeText(title)])}
${lead.map((each) => element("p", { class: "lead" }, [escapeText(each)])).join("\n")}
${figures.length === 0 ? "" : element("dl", { class: `figures of-${columnsFor(figures.length)}` }, figures.map(figureElement))}
</header>
<main>
${sections.map(sectionElement).join("\n")}
</main>
<footer>Made by vdnn ${escapeText(command)} on ${when}. This file is complete: it loads nothing.</footer>
</body>
</html>
`;
}

/** So that the last row is full, or nearly. */
function columnsFor(count: number): number {
  if (count % 4 === 0 || count > 6) return 4;
  return count % 3 === 0 ? 3 : 5;
}

function figureElement({ label, value, note }: Figure): string {
  return element("div", {}, [
    element("dt", {}, [escapeText(label)]),
    element("dd", { class: "value" }, [escapeText(value)]),
    ...(note === undefined ? [] : [element("dd", { class: "note" }, [escapeText(note)])]),
  ]);
}

function sectionElement({ title, blocks }: Section, index: number): string {
  const id = `section-${index + 1}`;
  return element("section", { "aria-labelledby": id }, [
    element("h2", { id }, [escapeText(title)]),
    ...blocks.map((block, i) => blockElement(block, `${id}-${i + 1}`)),
  ]);
}

function blockElement(block: Block, id: string): string {
  switch (block.kind) {
    case "text":
      return element("p", {}, [escapeText(block.text)]);
    case "preformatted":
      return element("pre", { tabindex: 0 }, [escapeText(block.lines.join("\n"))]);
    case "notes": {
      const item = block.areWarnings === true ? "warning" : undefined;
      return element(
        "ul",
        { class: "notes" },
        block.notes.map((note) => element("li", { class: item }, [escapeText(note)])),
      );
    }
    case "chart":
      return element("figure", {}, [
        element("div", { class: "wide" }, [block.wide]),
        element("div", { class: "narrow" }, [block.narrow]),
        ...(block.legend.length === 0 ? [] : [element("ul", { class: "legend" }, block.legend.map(legendElement))]),
      ]);
    case "table":
      return tableElement(block, id);
  }
  return block satisfies never;
}

function legendElement({ name, swatch }: LegendEntry): string {
  return element("li", {}, [swatch, element("span", {}, [escapeText(name)])]);
}

/** Cells longer than this are sentences, and may break. */
const LONG_CELL = 30;

/** In a region of its own that scrolls sideways, by keyboard too. */
function tableElement({ caption, head, rows }: Extract<Block, { kind: "table" }>, id: string): string {
  const sides = head.map(({ align }) => (align === "left" ? "left" : undefined));
  const titles = head.map(({ title }, c) => element("th", { scope: "col", class: sides[c] }, [escapeText(title)]));
  const body = rows.map((cells) =>
    element(
      "tr",
      {},
      cells.map((cell, c) => {
        const side = [sides[c], cell.length > LONG_CELL ? "long" : ""].filter(Boolean).join(" ") || undefined;
        // An element without children would close itself, which HTML does not know.
        const content = cell === "" ? "&#8203;" : escapeText(cell);
        return c === 0
          ? element("th", { scope: "row", class: side }, [content])
          : element("td", { class: side }, [content]);
      }),
    ),
  );
  const table = element("table", {}, [
    element("caption", { id }, [escapeText(caption)]),
    element("thead", {}, [element("tr", {}, titles)]),
    element("tbody", {}, body),
  ]);
  return element("div", { class: "table", role: "region", tabindex: 0, "aria-labelledby": id }, [table]);
}
