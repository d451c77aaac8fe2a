/** First fit from both ends, against an array of pages. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { FirstFit } from "../../../src/simulator/baselines/first-fit.ts";

const PAGES = 24;

it("takes the first range from its end that is large enough, and joins what is given back", () => {
  const action = fc.record({ pages: fc.integer({ min: 1, max: 7 }), isLeft: fc.boolean(), gives: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const memory = new FirstFit(PAGES);
      const isUsed = Array.from({ length: PAGES }, () => false);
      const held: { start: number; pages: number }[] = [];
      const mark = (start: number, pages: number, value: boolean): void =>
        void isUsed.fill(value, start, start + pages);
      const isFree = (start: number, pages: number): boolean =>
        start >= 0 && start + pages <= PAGES && !isUsed.slice(start, start + pages).includes(true);
      for (const { pages, isLeft, gives } of actions) {
        const oldest = gives ? held.shift() : undefined;
        if (oldest !== undefined) {
          memory.give(oldest.start, oldest.pages);
          mark(oldest.start, oldest.pages, false);
        } else {
          const starts = Array.from({ length: PAGES }, (_, i) => i).filter((start) => isFree(start, pages));
          const expected = (isLeft ? starts[0] : starts.at(-1)) ?? -1;
          expect(memory.take(pages, isLeft ? "left" : "right")).toBe(expected);
          if (expected < 0) continue;
          mark(expected, pages, true);
          held.push({ start: expected, pages });
        }
        const runs =
          isUsed
            .map((used) => (used ? "x" : "."))
            .join("")
            .match(/\.+/g) ?? [];
        expect(memory.largest).toBe(Math.max(0, ...runs.map((run) => run.length)));
      }
    }),
  );
});
