import { describe, expect, test } from "vitest";
import { Limit } from "../../src/runtime/limit.ts";

/** Iterations until the limit rises. */
function iterationsToRise(limit: Limit): number {
  for (let i = 1; i <= 1000; i++) if (limit.iterationEnded(limit.bytes)) return i;
  return Number.POSITIVE_INFINITY;
}

describe("the limit that a device has shown", () => {
  test("is the budget until a refusal, and then what was granted", () => {
    const limit = new Limit(1000);
    expect(limit.bytes).toBe(1000);
    limit.refused(400);
    expect(limit.bytes).toBe(400);
    limit.refused(700);
    expect(limit.bytes).toBe(400);
  });

  test("does not rise above the budget, and never without a refusal", () => {
    const limit = new Limit(450);
    expect(iterationsToRise(limit)).toBe(Number.POSITIVE_INFINITY);
    limit.refused(400);
    expect(iterationsToRise(limit)).toBe(100);
    expect(limit.bytes).toBe(450);
    expect(iterationsToRise(limit)).toBe(Number.POSITIVE_INFINITY);
  });

  test("rises by a quarter after a hundred iterations, and again after as many", () => {
    const limit = new Limit(Number.POSITIVE_INFINITY);
    limit.refused(400);
    expect(iterationsToRise(limit)).toBe(100);
    expect(limit.bytes).toBe(500);
    expect(iterationsToRise(limit)).toBe(100);
    expect(limit.bytes).toBe(625);
  });

  test("stays where an iteration does not need more", () => {
    const limit = new Limit(1000);
    limit.refused(400);
    for (let i = 0; i < 200; i++) expect(limit.iterationEnded(300)).toBe(false);
    expect(limit.iterationEnded(390)).toBe(true);
  });

  test("goes back at a refusal after a rise, and waits twice as long each time", () => {
    const limit = new Limit(1000);
    limit.refused(400);
    for (const wait of [100, 200, 400]) {
      expect(iterationsToRise(limit)).toBe(wait);
      limit.refused(410);
      limit.refused(405);
      expect(limit.bytes).toBeLessThanOrEqual(410);
    }
  });
});
