/** The memory curve against plain arrays. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Curve } from "../../../src/plan/auto/curve.ts";

const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 40 });
const changes = fc.array(fc.tuple(fc.nat(40), fc.nat(40), fc.integer({ min: -20, max: 20 })), { maxLength: 30 });

test("a curve finds the maxima that a plain array has", () => {
  fc.assert(
    fc.property(values, changes, (start, list) => {
      const plain = [...start];
      const curve = new Curve(start.length);
      curve.reset(Float64Array.from(start));
      for (const [a, b, bytes] of list) {
        const [from, to] = [Math.min(a, b, start.length), Math.min(Math.max(a, b), start.length)];
        curve.add(from, to, bytes);
        for (let k = from; k < to; k++) plain[k] = (plain[k] ?? 0) + bytes;
        const [low, high] = [(from + to) >> 1, Math.min(start.length, ((from + to) >> 1) + 2)];
        expect(curve.max(low, high)).toBe(Math.max(Number.NEGATIVE_INFINITY, ...plain.slice(low, high)));
        expect(curve.max(from, to)).toBe(Math.max(Number.NEGATIVE_INFINITY, ...plain.slice(from, to)));
        const highest = Math.max(...plain);
        expect([curve.highest, curve.peak]).toEqual([highest, plain.indexOf(highest)]);
        if (from < plain.length) expect(curve.at(from)).toBe(plain[from]);
      }
    }),
    { numRuns: 1000 },
  );
});
