import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import type { Plan, PlanStep } from "../../src/plan/plan.ts";
import { compile } from "../../src/runtime/compiled-plan.ts";

const KIB = 1024;

/** x → 0 → a → 1 → b → 2 → c; c, b → 3 → d. */
const graph: Graph = {
  schema: "vdnn-graph/1",
  name: "four kernels",
  tensors: [
    { bytes: KIB, role: "input", name: "x" },
    { bytes: KIB, role: "activation", name: "a" },
    { bytes: KIB, role: "activation", name: "b" },
    { bytes: 4, role: "activation", name: "c" },
    { bytes: KIB, role: "gradient", name: "d" },
  ],
  kernels: [
    { name: "k0", pass: "forward", ms: 1, inputs: [0], outputs: [1] },
    { name: "k1", pass: "forward", ms: 1, inputs: [1], outputs: [2] },
    { name: "k2", pass: "forward", ms: 1, inputs: [2], outputs: [3] },
    { name: "k3", pass: "backward", ms: 1, inputs: [3, 2], outputs: [4] },
  ],
};

const predicted = {
  stepMs: 0,
  oracleMs: 0,
  lowerBoundMs: 0,
  peakDeviceBytes: 0,
  peakHostBytes: 0,
  offloadBytes: 0,
  recomputeMs: 0,
  stallMs: 0,
};

function compiled(steps: readonly PlanStep[]) {
  const plan: Plan = { schema: "vdnn-plan/1", graph: "", machine: "", policy: "", steps, predicted };
  return compile(graph, plan, true, true);
}

const compute = (kernel: number): PlanStep => ({ kind: "compute", kernel });
const recompute = (kernel: number): PlanStep => ({ kind: "recompute", kernel });
const free = (tensor: number): PlanStep => ({ kind: "free", tensor });

describe("what the program has disposed and the plan reads", () => {
  test("is held after its last kernel", () => {
    const { holds } = compiled([compute(0), compute(1), free(2), compute(2), recompute(1), free(1), compute(3)]);
    expect(holds).toEqual([[], [1], [], []]);
  });

  test("is not held where the plan lets go of it and makes it again", () => {
    const steps = [
      compute(0),
      compute(1),
      free(1),
      free(2),
      compute(2),
      recompute(0),
      recompute(1),
      free(1),
      compute(3),
    ];
    expect(compiled(steps).holds.flat()).toEqual([]);
  });

  test("is not held where it exists before the iteration", () => {
    const steps = [compute(0), free(1), recompute(0), compute(1), free(2), compute(2), recompute(1), compute(3)];
    expect(compiled(steps).holds.flat()).toEqual([1]);
  });
});

test("small tensors are freed by the plan only where nobody else would free them", () => {
  expect(compiled([compute(0), compute(1), compute(2), free(3), compute(3)]).after[2]).toEqual([]);
  const recomputed = compiled([compute(0), compute(1), compute(2), recompute(2), free(3), compute(3)]);
  expect(recomputed.after[2]).toEqual([recompute(2), free(3)]);
});
