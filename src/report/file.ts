/** The file of `--report`: a page for people where its name ends in .html, else the JSON document. */
import { writeFileSync } from "node:fs";
import { type Page, renderPage } from "./html/page.ts";
import { writeJson } from "./json.ts";

export function isHtml(path: string | undefined): boolean {
  return path !== undefined && /\.html?$/i.test(path);
}

/** Writes one of the two, synchronously: it is called while the process ends. */
export function writeReport(
  path: string,
  { json, page }: { readonly json: () => unknown; readonly page: () => Page },
): void {
  if (isHtml(path)) writeFileSync(path, renderPage(page(), new Date()));
  else writeJson(path, json());
}
