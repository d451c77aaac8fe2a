/** The cheapest cover against all choices there are, and what it says of machines on which copies block. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lowerBoundMs } from "../../../src/plan/auto/bounds.ts";
import { cheapestCover, dualBound } from "../../../src/plan/auto/cover.ts";
import { problemOf } from "../../../src/plan/auto/gaps.ts";
import { dryRun } from "../../../src/plan/ledger.ts";
import { makePlan } from "../../../src/plan/make.ts";
import { autoPolicy } from "../../../src/plan/policies/auto.ts";
import { findPolicy } from "../../../src/plan/policies/index.ts";
import type { Machine } from "../../../src/plan/policy.ts";
import { validate } from "../../../src/plan/validate.ts";
import { chainGraph, chainShapes } from "../../support/graphs.ts";
import { smallCases, smallGraph } from "../../support/small-graphs.ts";

const KERNELS = 6;
const interval = fc
  .record({
    ends: fc.tuple(fc.nat({ max: KERNELS }), fc.nat({ max: KERNELS })),
    bytes: fc.integer({ min: 1, max: 9 }),
    rate: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ ends: [a, b], bytes, rate }) => ({ from: Math.min(a, b), to: Math.max(a, b), bytes, rate }));

describe("cheapestCover", () => {
  test("covers every need at what its prices prove to be the least", () => {
    fc.assert(
      fc.property(
        fc.array(interval, { maxLength: 8 }),
        fc.array(fc.nat({ max: 15 }), { minLength: KERNELS, maxLength: KERNELS }),
        (list, needs) => {
          const need = Float64Array.from(needs);
          const intervals = {
            from: Int32Array.from(list, ({ from }) => from),
            to: Int32Array.from(list, ({ to }) => to),
            bytes: Float64Array.from(list, ({ bytes }) => bytes),
            rate: Float64Array.from(list, ({ rate }) => rate),
          };
          const there = (k: number, of: (i: number) => number): number =>
            list.reduce((sum, { from, to }, i) => sum + (from <= k && k < to ? of(i) : 0), 0);
          const cover = cheapestCover(need, intervals);
          const isPossible = needs.every((bytes, k) => there(k, (i) => list[i]?.bytes ?? 0) >= bytes);
          expect(cover !== null).toBe(isPossible);
          if (cover === null) return;
          for (const [k, bytes] of needs.entries()) {
            expect(there(k, (i) => cover.away[i] ?? 0)).toBeGreaterThanOrEqual(bytes - 1e-9);
          }
          const cost = list.reduce((sum, { rate }, i) => sum + rate * (cover.away[i] ?? 0), 0);
          expect(cover.boundMs).toBeCloseTo(cost, 6);
          expect(dualBound(need, intervals, new Float64Array(KERNELS).fill(1))).toBeLessThanOrEqual(cost + 1e-9);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("where copies block", () => {
  const graphs = fc.oneof(chainShapes.map(chainGraph), smallCases(8).map(smallGraph));
  const machine = (deviceBytes: number, gbps: number): Machine => ({
    name: "blocking",
    deviceBytes,
    hostBytes: Number.POSITIVE_INFINITY,
    offloadGBps: gbps,
    prefetchGBps: 2 * gbps,
    copiesBlock: true,
  });

  test("a plan keeps the rules, and neither it nor a fixed policy's beats the bound", () => {
    const link = fc.constantFrom(0.02, 0.2, 2);
    fc.assert(
      fc.property(graphs, fc.double({ min: 0.1, max: 1, noNaN: true }), link, (graph, share, gbps) => {
        const all = problemOf(graph).keptBytes.reduce((most, bytes) => Math.max(most, bytes), 0);
        const slow = machine(Math.ceil(all * share), gbps);
        const { plan, fits } = makePlan(graph, slow, autoPolicy({ moves: 20 }));
        if (!fits) return;
        validate(graph, plan.steps, slow);
        const bound = lowerBoundMs(problemOf(graph), slow, { recompute: true });
        for (const steps of [plan.steps, ...["vdnn-all", "checkpoint"].map((name) => stepsOf(name))]) {
          if (dryRun(graph, steps).peakDeviceBytes > slow.deviceBytes) continue;
          expect(validate(graph, steps, slow).stepMs).toBeGreaterThanOrEqual(bound * (1 - 1e-9));
        }
        function stepsOf(name: string): typeof plan.steps {
          return findPolicy(name).decide(graph, slow).steps;
        }
      }),
      { numRuns: 100 },
    );
  });

  test("recomputes what is cheaper to build than to copy twice, and copies what is not", () => {
    const graph = chainGraph({
      bytes: Array.from({ length: 12 }, () => 1_000_000),
      skips: Array.from({ length: 12 }, () => 0),
      convolutions: Array.from({ length: 12 }, () => true),
      workspace: [],
      hasState: false,
    });
    const deviceBytes = Math.ceil(0.6 * problemOf(graph).keptBytes.reduce((most, bytes) => Math.max(most, bytes), 0));
    const predicted = (gbps: number) => makePlan(graph, machine(deviceBytes, gbps), autoPolicy()).plan.predicted;
    expect(predicted(0.05)).toMatchObject({ offloadBytes: 0 });
    expect(predicted(50)).toMatchObject({ recomputeMs: 0 });
  });
});
