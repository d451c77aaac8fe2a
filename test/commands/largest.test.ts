/** The search for the largest size that works, on trials that are functions. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findLargest, type TrialOutcome } from "../../src/commands/largest.ts";

const TRAINS: TrialOutcome = { kind: "trains" };
const TOO_LARGE: TrialOutcome = { kind: "too-large", reason: "needs more" };
const upTo =
  (last: number) =>
  (rung: number): TrialOutcome =>
    rung <= last ? TRAINS : TOO_LARGE;

describe("findLargest", () => {
  it("finds the last rung that works, from any start, in few trials", async () => {
    const rungs = fc.integer({ min: 1, max: 5000 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        last: fc.integer({ min: -1, max: count - 1 }),
        start: fc.integer({ min: 0, max: count + 5 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(rungs, async ({ count, last, start }) => {
        const { rung, verdict, next, trials } = await findLargest(upTo(last), { count, start });
        expect(rung).toBe(last);
        expect(verdict).toBe(last === count - 1 ? "range-end" : "verified");
        expect(next).toEqual(last === count - 1 ? null : TOO_LARGE);
        expect(trials.length).toBeLessThanOrEqual(3 + 2 * Math.ceil(Math.log2(count + 1)));
      }),
    );
  });

  it("ends where the next rung fails and this one works, whatever the outcomes in between", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), fc.nat(60), async (works, start) => {
        const outcome = (rung: number): TrialOutcome => (works[rung] === true ? TRAINS : TOO_LARGE);
        const { rung } = await findLargest(outcome, { count: works.length, start, deterministic: true });
        if (rung >= 0) expect(works[rung]).toBe(true);
        if (rung + 1 < works.length) expect(works[rung + 1]).toBe(false);
      }),
    );
  });

  it("goes on upwards when the next rung works at its second trial", async () => {
    let trialsOf7 = 0;
    const flaky = (rung: number): TrialOutcome => (rung === 7 && trialsOf7++ === 0 ? TOO_LARGE : upTo(20)(rung));
    const { rung, verdict } = await findLargest(flaky, { count: 100, start: 0 });
    expect({ rung, verdict }).toEqual({ rung: 20, verdict: "verified" });
    expect(trialsOf7).toBe(2);
  });

  it("looks further than one rung when asked, and takes what works there", async () => {
    const gap = (rung: number): TrialOutcome => (rung <= 5 || rung === 7 ? TRAINS : TOO_LARGE);
    const near = await findLargest(gap, { count: 16, start: 5, deterministic: true });
    const far = await findLargest(gap, { count: 16, start: 5, deterministic: true, lookAhead: 3 });
    expect([near.rung, far.rung]).toEqual([5, 7]);
  });

  it.each(["timeout", "crash"] as const)("does not take a %s for too large", async (kind) => {
    const trial = (rung: number): TrialOutcome => (rung <= 5 ? TRAINS : { kind, reason: "after 5 s" });
    const { rung, verdict, next } = await findLargest(trial, { count: 64 });
    expect({ rung, verdict, next }).toEqual({ rung: 5, verdict: "inconclusive", next: { kind, reason: "after 5 s" } });
  });

  it("is not misled by a crash beyond the answer", async () => {
    const trial = (rung: number): TrialOutcome =>
      rung === 15 ? { kind: "crash", reason: "ended by SIGSEGV" } : upTo(9)(rung);
    expect(await findLargest(trial, { count: 64 })).toMatchObject({ rung: 9, verdict: "verified" });
  });

  it("makes no second trial where it could not differ, and tells each trial before it is made", async () => {
    const told: number[] = [];
    const options = { count: 8, start: 3, onTrial: (rung: number) => told.push(rung) };
    const once = await findLargest(upTo(4), { ...options, deterministic: true });
    expect(once.trials.map(({ rung }) => rung)).toEqual([3, 7, 5, 4]);
    expect(told).toEqual([3, 7, 5, 4]);
    const twice = await findLargest(upTo(4), { count: 8, start: 3 });
    expect(twice.trials.map(({ rung }) => rung)).toEqual([3, 7, 5, 4, 5]);
  });

  it("passes on what a trial throws", async () => {
    const stop = (): never => {
      throw new Error("stop");
    };
    await expect(findLargest(stop, { count: 3 })).rejects.toThrow("stop");
  });
});
