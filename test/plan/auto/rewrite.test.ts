/** Any choice of re-runs gives a graph in which every kernel reads what it read first. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../../src/graph/graph.ts";
import { existsAfter } from "../../../src/graph/lifetimes.ts";
import { recomputeUnits } from "../../../src/plan/recompute-units.ts";
import { originalSteps, type Rerun, rewrite } from "../../../src/plan/auto/rewrite.ts";
import { dryRun } from "../../../src/plan/ledger.ts";
import { weave } from "../../../src/plan/steps.ts";
import { validate } from "../../../src/plan/validate.ts";
import { interpret, randomGraphs } from "./recompute-graphs.ts";

const graphsAndChoices = randomGraphs.chain((graph) => {
  const units = recomputeUnits(graph);
  const allowed: Rerun[] = [];
  units.latest.forEach((latest, unit) => {
    const kernel = units.members[units.memberStart[unit] ?? 0] ?? 0;
    for (let before = kernel + 1; before <= latest; before++) allowed.push({ kernel, before });
  });
  return fc.tuple(fc.constant(graph), fc.shuffledSubarray(allowed, { maxLength: Math.min(30, allowed.length) }));
});

describe("rewrite", () => {
  test("keeps what every kernel reads and what is there at the end, re-running nothing on other values", () => {
    fc.assert(
      fc.property(graphsAndChoices, ([graph, choice]) => {
        const plain = interpret(graph, weave(graph, []));
        const rewritten = rewrite(graph, choice);
        const steps = originalSteps(rewritten, weave(rewritten.graph, []));
        const again = interpret(graph, steps);
        expect(again.reads).toEqual(plain.reads);
        graph.tensors.forEach(({ role }, t) => {
          if (existsAfter(role)) expect(again.end[t]).toBe(plain.end[t]);
        });
      }),
      { numRuns: 600 },
    );
  });

  test("gives steps that the validator accepts on the original graph, at the same peak as on the rewritten one", () => {
    fc.assert(
      fc.property(graphsAndChoices, ([graph, choice]) => {
        const rewritten = rewrite(graph, choice);
        const woven = weave(rewritten.graph, []);
        const { peakDeviceBytes } = dryRun(rewritten.graph, woven);
        const steps = originalSteps(rewritten, woven);
        validate(graph, steps, peakDeviceBytes);
        const run = dryRun(graph, steps);
        expect(run.peakDeviceBytes).toBe(peakDeviceBytes);
        expect(run.recomputeMs).toBeCloseTo(rewritten.recomputeMs, 6);
      }),
      { numRuns: 500 },
    );
  });

  test("never re-runs a frozen kernel, an update, or a kernel that writes a weight", () => {
    fc.assert(
      fc.property(graphsAndChoices, ([graph, choice]) => {
        const { originalKernel, isRecompute } = rewrite(graph, choice);
        originalKernel.forEach((k, position) => {
          if (isRecompute[position] === 0) return;
          const kernel = graph.kernels[k];
          expect(kernel?.recomputable).not.toBe(false);
          expect(kernel?.pass).not.toBe("update");
          expect(kernel?.outputs.some((t) => graph.tensors[t]?.role === "weight")).toBe(false);
        });
      }),
      { numRuns: 300 },
    );
  });

  test("rebuilds a tensor that was updated in place by all its writers in order", () => {
    const graph: Graph = {
      schema: "vdnn-graph/1",
      name: "conv, relu in place",
      tensors: [
        { bytes: 4, role: "input" },
        { bytes: 8, role: "activation" },
        { bytes: 4, role: "output" },
      ],
      kernels: [
        { name: "conv", pass: "forward", ms: 3, inputs: [0], outputs: [1] },
        { name: "relu", pass: "forward", ms: 1, inputs: [1], outputs: [1] },
        { name: "loss", pass: "forward", ms: 1, inputs: [0], outputs: [2] },
        { name: "back", pass: "backward", ms: 1, inputs: [1], outputs: [] },
      ],
    };
    const { graph: longer, originalKernel, originalTensor, recomputeMs } = rewrite(graph, [{ kernel: 1, before: 3 }]);
    expect([...originalKernel]).toEqual([0, 1, 2, 0, 1, 3]);
    expect([...originalTensor]).toEqual([0, 1, 2, 1]);
    expect(longer.kernels.map(({ outputs }) => outputs)).toEqual([[1], [1], [2], [3], [3], []]);
    expect(recomputeMs).toBe(4);
  });

  test("refuses a re-run after a weight that it reads was updated", () => {
    const graph: Graph = {
      schema: "vdnn-graph/1",
      name: "late",
      tensors: [
        { bytes: 4, role: "weight" },
        { bytes: 8, role: "activation" },
      ],
      kernels: [
        { name: "conv", pass: "forward", ms: 3, inputs: [0], outputs: [1] },
        { name: "sgd", pass: "update", ms: 1, inputs: [0], outputs: [0] },
        { name: "read", pass: "backward", ms: 1, inputs: [1], outputs: [] },
      ],
    };
    expect(() => rewrite(graph, [{ kernel: 0, before: 1 }])).not.toThrow();
    expect(() => rewrite(graph, [{ kernel: 0, before: 2 }])).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_PLAN" }),
    );
  });
});
