/** Exact optima of small iterations: their plans are valid, nobody beats them, and no lower bound exceeds them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { certify, MAX_GAPS } from "../../src/plan/certify.ts";
import { livesOf } from "../../src/plan/certify/lives.ts";
import { smallestFeasibleBytes } from "../../src/plan/ledger.ts";
import { makePlan } from "../../src/plan/make.ts";
import { autoPolicy } from "../../src/plan/policies/auto.ts";
import type { Machine } from "../../src/plan/policy.ts";
import { validate } from "../../src/plan/validate.ts";
import { type SmallCase, smallCases, smallGraph, smallMachine } from "../support/small-graphs.ts";

function machineOf(small: SmallCase, graph: Graph): Machine {
  const movable = (t: number): boolean => ["activation", "gradient"].includes(graph.tensors[t]?.role ?? "");
  return smallMachine(small, smallestFeasibleBytes(graph, movable).bytes, Math.max(...livesOf(graph).during));
}

/** One tensor of 4 MB is away between kernel 0 and kernel 3; 1 MB takes 1 ms each way. Kernels 1 and 2 take `ms` each. */
function oneGap(ms: number): Graph {
  return {
    schema: "vdnn-graph/1",
    name: "one gap",
    tensors: [
      { bytes: 4e6, role: "activation" },
      { bytes: 1e6, role: "activation" },
      { bytes: 4e6, role: "activation" },
      { bytes: 1e6, role: "output" },
    ],
    kernels: [
      { name: "a", pass: "forward", ms: 1, inputs: [], outputs: [0], recomputable: false },
      { name: "b", pass: "forward", ms, inputs: [0], outputs: [1] },
      { name: "c", pass: "forward", ms, inputs: [1], outputs: [2], workspaceBytes: 1e6 },
      { name: "d", pass: "backward", ms, inputs: [2], outputs: [1] },
      { name: "e", pass: "backward", ms: 1, inputs: [0, 1], outputs: [3] },
    ],
  };
}
const LINK: Machine = {
  name: "link",
  deviceBytes: 6e6,
  hostBytes: Number.POSITIVE_INFINITY,
  offloadGBps: 1,
  prefetchGBps: 1,
};

describe("certify", () => {
  test("knows the optimum that can be worked out by hand", async () => {
    // c needs room for 1 + 4 + 1 MB, so tensor 0 has left (4 ms from the end of a), and comes back after d has freed tensor 2:
    // a to 1, copy out to 5, c to 7, d to 9, copy in to 13, e to 14.
    const slow = await certify(oneGap(2), LINK);
    expect(slow).toMatchObject({ proven: true });
    expect(slow.optimalMs).toBeCloseTo(14, 6);
    // All budget, no copies.
    expect(await certify(oneGap(2), { ...LINK, deviceBytes: 10e6 })).toMatchObject({
      optimalMs: 8,
      boundMs: 8,
      proven: true,
    });
  });

  test("proves that nothing fits", async () => {
    const found = await certify(oneGap(2), { ...LINK, hostBytes: 3e6 });
    expect(found).toMatchObject({ optimalMs: Number.POSITIVE_INFINITY, steps: undefined, proven: true });
  });

  test("refuses what it cannot prove", async () => {
    const graph = oneGap(1);
    const kernels = Array.from({ length: 5 }, () => graph.kernels).flat();
    await expect(certify({ ...graph, kernels }, LINK)).rejects.toMatchObject({
      code: "ERR_INVALID_OPTION",
      details: { what: "kernels", got: 25 },
    });
    await expect(certify(graph, { ...LINK, spillBytes: 1 })).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
  });

  test.each([false, true])(
    "gives a valid plan that auto does not beat, above auto's bound; recompute %s",
    async (recompute) => {
      await fc.assert(
        fc.asyncProperty(smallCases(recompute ? 3 : 4), async (small) => {
          const graph = smallGraph(small);
          fc.pre(livesOf(graph).gaps.length <= MAX_GAPS);
          const machine = machineOf(small, graph);
          const { optimalMs, boundMs, steps, proven } = await certify(graph, machine, { recompute, maxNodes: 20_000 });
          if (steps !== undefined) expect(validate(graph, steps, machine).stepMs).toBeCloseTo(optimalMs, 9);
          const { plan, fits } = makePlan(graph, machine, autoPolicy({ recompute, moves: 100 }));
          if (fits) expect(plan.predicted.stepMs).toBeGreaterThanOrEqual(boundMs * (1 - 1e-5));
          if (proven) expect(plan.predicted.lowerBoundMs).toBeLessThanOrEqual(optimalMs * (1 + 1e-5));
        }),
        { numRuns: 25 },
      );
    },
  );
});
