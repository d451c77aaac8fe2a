/** Plain text tables: columns aligned by spaces, no borders and no colour, so that they read alike on a terminal and in a file. */

export interface Column<Row> {
  readonly title: string;
  /** Default right, as most columns are numbers. */
  readonly align?: "left" | "right";
  readonly cell: (row: Row) => string;
}

const GAP = "  ";

/** The lines of a table, title line first, without trailing spaces. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, c) => Math.max(...[titles, ...cells].map((line) => line[c]?.length ?? 0)));
  return [titles, ...cells].map((line) =>
    line
      .map((text, c) => {
        const width = widths[c] ?? 0;
        return columns[c]?.align === "left" ? text.padEnd(width) : text.padStart(width);
      })
      .join(GAP)
      .trimEnd(),
  );
}
