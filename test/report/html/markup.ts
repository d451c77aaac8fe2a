/** Looks at HTML as a parser would, for what these pages use of it. */
import { expect } from "vitest";

const VOID = new Set(["meta", "!doctype"]);

/** Tags in balance, attributes quoted, nothing that is not text in between. Returns the names of all elements. */
export function elementsOf(html: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const rest = html
    .replace(/<style>[^<]*<\/style>/, "")
    .replaceAll(
      /<(\/?)([!a-zA-Z][a-zA-Z0-9]*)((?: [a-zA-Z0-9-]+(?:="[^"<]*")?)*)(\/?)>/g,
      (_, close: string, name: string, _attributes: string, empty: string) => {
        if (close === "/") expect(open.pop()).toBe(name);
        else {
          names.push(name);
          if (empty === "" && !VOID.has(name)) open.push(name);
        }
        return "";
      },
    );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#8203;)/);
  return names;
}

/** Everything that must hold of any page. */
export function expectSound(html: string): void {
  const names = elementsOf(html);
  for (const forbidden of ["script", "link", "img", "iframe", "a"]) expect(names).not.toContain(forbidden);
  expect(html).not.toMatch(/https?:|url\(|@import|javascript:| on[a-z]+="/i);
  expect(html).not.toMatch(/="[^"]*(NaN|Infinity|undefined)[^"]*"|>(NaN|undefined)</);
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, list = ""] of html.matchAll(/ aria-labelledby="([^"]+)"/g)) {
    for (const id of list.split(" ")) expect(ids).toContain(id);
  }
  for (const [svg] of html.matchAll(/<svg[^>]*role="img".*?<\/svg>/gs)) {
    expect(svg).toMatch(/<title id="[^"]+">[^<]+<\/title>\s*<desc id="[^"]+">[^<]+<\/desc>/);
  }
  for (const [th] of html.matchAll(/<th .*?<\/th>/gs)) expect(th).toMatch(/scope="(col|row)".*>[^<]+</s);
}
