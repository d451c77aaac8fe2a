/** Sums that sizes can make, against all subsets. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SubsetSums } from "../../../src/plan/auto/subset-sum.ts";

test("finds the least sum that is at least what is needed", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }), fc.nat(120), (sizes, need) => {
      const sums = new SubsetSums();
      let all = [0];
      for (const size of sizes) {
        sums.add(size);
        all = all.concat(all.map((sum) => sum + size));
      }
      expect(sums.atLeast(need)).toBe(Math.min(Number.POSITIVE_INFINITY, ...all.filter((sum) => sum >= need)));
    }),
  );
});

test("stays a lower bound when there are too many sums to keep", () => {
  const sums = new SubsetSums();
  for (let i = 0; i < 40; i++) sums.add(1000 + 10 * i * i);
  expect(sums.atLeast(1234)).toBe(1240);
});
