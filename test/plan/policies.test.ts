/** Every policy's steps are checked by the independent validator, on random iterations. */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backwardStart, lifetimes } from "../../src/graph/lifetimes.ts";
import { dryRun } from "../../src/plan/ledger.ts";
import { makePlan } from "../../src/plan/make.ts";
import type { PlanStep } from "../../src/plan/plan.ts";
import type { Machine } from "../../src/plan/policy.ts";
import { findPolicy, policies } from "../../src/plan/policies/index.ts";
import { validate } from "../../src/plan/validate.ts";
import { timed } from "../../src/simulator/kernel-times.ts";
import { simulatedMachine } from "../../src/simulator/machines.ts";
import { networkGraph } from "../../src/simulator/networks.ts";
import { chainGraph, chainShapes } from "../support/graphs.ts";
import { randomGraphs } from "./auto/recompute-graphs.ts";

const UNLIMITED: Machine = {
  name: "test",
  deviceBytes: Number.POSITIVE_INFINITY,
  hostBytes: Number.POSITIVE_INFINITY,
  offloadGBps: 10,
  prefetchGBps: 10,
};

describe.each(policies.map((policy) => [policy.name, policy] as const))("policy %s", (_name, policy) => {
  test("makes steps that keep every rule, at the peak that the dry run tells and no lower", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const { steps } = policy.decide(graph, UNLIMITED);
        const { peakDeviceBytes } = dryRun(graph, steps);
        validate(graph, steps, peakDeviceBytes);
      }),
      { numRuns: 200 },
    );
  });

  test("says whether it fits as the validator does", () => {
    fc.assert(
      fc.property(chainShapes, fc.double({ min: 0.05, max: 1, noNaN: true }), (shape, share) => {
        const graph = chainGraph(shape);
        const all = dryRun(graph, findPolicy("none").decide(graph, UNLIMITED).steps).peakDeviceBytes;
        const deviceBytes = Math.floor(all * share);
        const { steps, fits } = policy.decide(graph, { ...UNLIMITED, deviceBytes });
        if (fits || policy.passthrough)
          validate(graph, steps, policy.passthrough ? Number.POSITIVE_INFINITY : deviceBytes);
        else expect(dryRun(graph, steps).peakDeviceBytes).toBeGreaterThan(deviceBytes);
      }),
      { numRuns: 200 },
    );
  });
});

describe("vdnn-conv", () => {
  test("offloads nothing but what a convolution reads", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const read = new Set(graph.kernels.filter(({ name }) => name === "Conv2D").flatMap(({ inputs }) => inputs));
        for (const t of offloaded(findPolicy("vdnn-conv").decide(graph, UNLIMITED).steps))
          expect(read.has(t)).toBe(true);
      }),
    );
  });
});

describe("vdnn-all", () => {
  test("offloads every sizeable feature map that the backward pass reads again, and optimizer state", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const sent = offloaded(findPolicy("vdnn-all").decide(graph, UNLIMITED).steps);
        const start = backwardStart(graph);
        for (const { tensor, bytes, role, uses } of lifetimes(graph)) {
          if (bytes < 16 * 1024) continue;
          const last = uses.findLast((k) => k < start);
          const next = uses.find((k) => k >= start && graph.kernels[k]?.pass === "backward");
          const gap = role === "activation" && last !== undefined && next !== undefined && next - last >= 2;
          if (gap || role === "state") expect(sent.has(tensor)).toBe(true);
        }
      }),
    );
  });
});

describe("vdnn-dyn", () => {
  test("moves nothing when nothing needs to move, and under a larger budget no later trial of the paper's order", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const free = makePlan(graph, UNLIMITED, findPolicy("vdnn-dyn"));
        expect(free.plan.policy).toBe("vdnn-dyn: liveness");
        expect(free.plan.predicted.offloadBytes).toBe(0);
        const order = ["liveness", "vdnn-conv", "vdnn-all", "vdnn-all + gradients", "vdnn-all + gradients + state"];
        let before = order.length;
        for (const share of [0.5, 0.7, 0.9, 1]) {
          const deviceBytes = Math.floor(free.plan.predicted.peakDeviceBytes * share);
          const { plan, fits } = makePlan(graph, { ...UNLIMITED, deviceBytes }, findPolicy("vdnn-dyn"));
          if (!fits) continue;
          const trial = order.indexOf(plan.policy.replace("vdnn-dyn: ", ""));
          expect(trial).toBeGreaterThanOrEqual(0);
          expect(trial).toBeLessThanOrEqual(before);
          before = trial;
        }
      }),
    );
  });
});

describe("checkpoint", () => {
  test("keeps less than liveness on a long chain and recomputes no kernel twice", () => {
    const n = 36;
    const graph = chainGraph({
      bytes: Array.from({ length: n }, () => 100_000),
      skips: Array.from({ length: n }, () => 0),
      convolutions: Array.from({ length: n }, () => true),
      workspace: [],
      hasState: false,
    });
    const { steps } = findPolicy("checkpoint").decide(graph, UNLIMITED);
    const again = steps.flatMap((step) => (step.kind === "recompute" ? [step.kernel] : []));
    expect(new Set(again).size).toBe(again.length);
    const peak = dryRun(graph, steps).peakDeviceBytes;
    expect(peak).toBeLessThan(
      0.5 * dryRun(graph, findPolicy("liveness").decide(graph, UNLIMITED).steps).peakDeviceBytes,
    );
  });

  test("leaves alone what cannot be run again", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const kernels = graph.kernels.map((kernel, k) => (k % 3 === 0 ? { ...kernel, recomputable: false } : kernel));
        const { steps } = findPolicy("checkpoint").decide({ ...graph, kernels }, UNLIMITED);
        validate({ ...graph, kernels }, steps, Number.POSITIVE_INFINITY);
      }),
    );
  });

  test("runs again together what writes the same tensor in place", () => {
    fc.assert(
      fc.property(randomGraphs, (graph) => {
        const { steps } = findPolicy("checkpoint").decide(graph, UNLIMITED);
        validate(graph, steps, Number.POSITIVE_INFINITY);
      }),
      { numRuns: 500 },
    );
    // Its activations are in place: without them nothing of it could run again.
    const work = networkGraph(tf, { network: "vgg-116", batch: 16 });
    const vgg = timed(work, simulatedMachine({ gpu: "titan-x" }), { algorithms: () => "m" });
    const peakOf = (policy: string): number =>
      dryRun(vgg, findPolicy(policy).decide(vgg, UNLIMITED).steps).peakDeviceBytes;
    expect(peakOf("checkpoint")).toBeLessThan(0.5 * peakOf("liveness"));
  });
});

describe("the validator", () => {
  const graph = chainGraph({
    bytes: [50_000, 50_000],
    skips: [0, 0],
    convolutions: [true, true],
    workspace: [],
    hasState: false,
  });
  const { steps } = findPolicy("vdnn-all").decide(graph, UNLIMITED);

  const broken: readonly (readonly [string, readonly PlanStep[]])[] = [
    ["a kernel is missing", steps.filter((step) => !(step.kind === "compute" && step.kernel === 1))],
    ["a tensor is never called back", steps.filter((step) => step.kind !== "prefetch")],
    ["a tensor is freed twice", steps.flatMap<PlanStep>((step) => (step.kind === "free" ? [step, step] : [step]))],
    ["a tensor is freed before its use", [{ kind: "free", tensor: 0 }, ...steps]],
    ["a kernel is recomputed before it ran", [{ kind: "recompute", kernel: 3 }, ...steps]],
  ];

  test.each(broken)("refuses steps in which %s", (_what, wrong) => {
    expect(() => validate(graph, wrong, Number.POSITIVE_INFINITY)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_PLAN" }),
    );
  });

  test("refuses a plan above the budget", () => {
    const { peakDeviceBytes } = dryRun(graph, steps);
    expect(() => validate(graph, steps, peakDeviceBytes - 1)).toThrowError(/exceed the budget/);
  });
});

function offloaded(steps: readonly PlanStep[]): Set<number> {
  return new Set(steps.flatMap((step) => (step.kind === "offload" ? [step.tensor] : [])));
}
