/** The `auto` policy on random iterations: what it says is what the timeline and the dry run find. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { problemOf } from "../../../src/plan/auto/gaps.ts";
import { dryRun, fitsDryRun } from "../../../src/plan/ledger.ts";
import { makePlan } from "../../../src/plan/make.ts";
import { autoPolicy } from "../../../src/plan/policies/auto.ts";
import { findPolicy } from "../../../src/plan/policies/index.ts";
import type { Machine } from "../../../src/plan/policy.ts";
import { timeline } from "../../../src/plan/timeline.ts";
import { validate } from "../../../src/plan/validate.ts";
import { chainGraph, chainShapes } from "../../support/graphs.ts";

const GB = 1e9;
const machineOf = (deviceBytes: number): Machine => ({
  name: "test",
  deviceBytes,
  hostBytes: Number.POSITIVE_INFINITY,
  // About one layer's bytes per kernel's time.
  offloadGBps: 0.05,
  prefetchGBps: 0.05,
});
const shares = fc.double({ min: 0.2, max: 1, noNaN: true });
const policy = autoPolicy({ moves: 10 });

describe("auto", () => {
  test("keeps the budgets in the timeline and in the dry run, and is no faster than its bound", () => {
    fc.assert(
      fc.property(chainShapes, shares, (shape, share) => {
        const graph = chainGraph(shape);
        const all = dryRun(graph, findPolicy("liveness").decide(graph, machineOf(GB)).steps).peakDeviceBytes;
        const machine = machineOf(Math.floor(all * share));
        const { plan, fits } = makePlan(graph, machine, policy);
        const run = timeline(graph, machine, plan.steps);
        expect(run.fits).toBe(fits);
        expect(fitsDryRun(dryRun(graph, plan.steps), machine)).toBe(fits);
        if (fits) expect(plan.predicted.stepMs).toBeGreaterThanOrEqual(plan.predicted.lowerBoundMs * (1 - 1e-9));
      }),
      { numRuns: 60 },
    );
  });

  test("moves nothing when nothing needs to move", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const { predicted } = makePlan(chainGraph(shape), machineOf(GB), policy).plan;
        expect(predicted.offloadBytes).toBe(0);
        expect(predicted.stepMs).toBeCloseTo(predicted.oracleMs, 6);
      }),
    );
  });

  test("keeps the budgets of three tiers", () => {
    fc.assert(
      fc.property(chainShapes, shares, shares, (shape, share, hostShare) => {
        const graph = chainGraph(shape);
        const all = dryRun(graph, findPolicy("liveness").decide(graph, machineOf(GB)).steps).peakDeviceBytes;
        const machine: Machine = {
          ...machineOf(Math.floor(all * share)),
          hostBytes: Math.floor(all * hostShare * 0.5),
          spillBytes: all,
          spillWriteGBps: 0.02,
          spillReadGBps: 0.02,
        };
        const { plan, fits } = makePlan(graph, machine, policy);
        if (!fits) return;
        expect(timeline(graph, machine, plan.steps).fits).toBe(true);
        expect(fitsDryRun(dryRun(graph, plan.steps), machine)).toBe(true);
        expect(plan.predicted.stepMs).toBeGreaterThanOrEqual(plan.predicted.lowerBoundMs * (1 - 1e-9));
      }),
      { numRuns: 60 },
    );
  });

  test("as a last resort sends away state, and what the caller gets after its last use; by the validator's rules", () => {
    let used = 0;
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph({ ...shape, hasState: true });
        const least = problemOf(graph).flat.bytes.reduce((sum, bytes) => sum + bytes, 0);
        for (let deviceBytes = least; deviceBytes > 0; deviceBytes = Math.floor(deviceBytes * 0.8)) {
          const machine = machineOf(deviceBytes);
          const { steps, fits } = policy.decide(graph, machine);
          if (!fits) return;
          validate(graph, steps, machine);
          if (steps.some((step) => step.kind === "offload" && graph.tensors[step.tensor]?.role === "state")) used++;
        }
      }),
      { numRuns: 6 },
    );
    expect(used).toBeGreaterThan(0);
  });
});
