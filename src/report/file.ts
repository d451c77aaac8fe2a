/** The file of `--report`: a page for people where its name ends in .html, else the JSON document. */
import { writeFileSync } from "node:fs";
import { type Page, renderPage } from "./html/page.ts";

export function isHtml(path: string | undefined): boolean {
  return path !== undefined && /\.html?$/i.test(path);
}

export interface Report {
  /** The document as text. */
  readonly json: () => string;
  readonly page: () => Page;
}

/** Writes one of the two, synchronously: it is called while the process ends. */
export function writeReport(path: string, { json, page }: Report): void {
  writeFileSync(path, isHtml(path) ? renderPage(page(), new Date()) : json());
}
