/** What a report keeps of a training that does not end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ends } from "../../src/report/ends.ts";
import { type IterationFacts, IterationRecorder, totalsOf } from "../../src/report/iterations.ts";
import type { IterationResult } from "../../src/report/result.ts";
import { iterationResult } from "../support/iterations.ts";

describe("Ends", () => {
  it("keeps the first and the newest in order, and counts what is between them", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat({ max: 40 }),
        (mostFirst, mostNewest, length) => {
          const ends = new Ends<number>(mostFirst, mostNewest);
          const all = Array.from({ length }, (_, i) => i);
          for (const each of all) ends.add(each);
          const from = Math.max(mostFirst, length - mostNewest);
          expect(ends.items).toEqual(all.filter((i) => i < mostFirst || i >= from));
          expect(ends.omitted + ends.items.length).toBe(length);
        },
      ),
    );
  });
});

describe("IterationRecorder", () => {
  const record = (iterations: readonly IterationResult[]): IterationFacts => {
    const recorder = new IterationRecorder();
    for (const each of iterations) recorder.add(each);
    return recorder.facts;
  };

  it("keeps all iterations of a short training", () => {
    const iterations = Array.from({ length: 1020 }, (_, i) => iterationResult(i, i === 0 ? "recorded" : "planned"));
    expect(record(iterations).iterations).toEqual(iterations);
  });

  it("of a long one keeps the first 20 and the newest 1,000, and totals and peaks over all", () => {
    const peak = (index: number): number => (index === 0 ? 900 : index === 3000 ? 800 : index === 3001 ? 700 : 500);
    const iterations = Array.from({ length: 10_000 }, (_, i) => ({
      ...iterationResult(i, i === 0 ? "recorded" : i === 3000 ? "deviated" : "planned"),
      peakDeviceBytes: peak(i),
      spillReadBytes: i,
    }));
    const facts = record(iterations);
    const kept = facts.iterations.map(({ index }) => index);
    expect(kept).toEqual([
      ...Array.from({ length: 20 }, (_, i) => i),
      ...Array.from({ length: 1000 }, (_, i) => 9000 + i),
    ]);
    expect(facts.steadyPeakDeviceBytes).toBe(700);
    expect(facts.laterPeakDeviceBytes).toBe(800);
    expect(facts.totals).toEqual(totalsOf(iterations));
    expect(facts.totals).toMatchObject({
      iterations: 10_000,
      modes: { recorded: 1, deviated: 1, planned: 9998 },
      stepMs: 1_000_000,
      spillReadBytes: (9999 * 10_000) / 2,
      demandFetches: 10_000,
    });
  });

  it("has no peak of iterations that were not there", () => {
    expect(record([])).toMatchObject({ steadyPeakDeviceBytes: null, laterPeakDeviceBytes: null, iterations: [] });
    expect(record([iterationResult(0, "stock")]).laterPeakDeviceBytes).toBeNull();
  });
});
