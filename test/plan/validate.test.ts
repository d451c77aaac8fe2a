/** The validator on plans small enough to check by hand: times, budgets, tiers and the rule that each wrong plan breaks. */
import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import type { PlanStep } from "../../src/plan/plan.ts";
import type { Machine } from "../../src/plan/policy.ts";
import { timeline } from "../../src/plan/timeline.ts";
import { validate } from "../../src/plan/validate.ts";

/** f writes x (2 MB), g and h need the rest, b reads x again. */
const GRAPH: Graph = {
  schema: "vdnn-graph/1",
  name: "by hand",
  tensors: [
    { bytes: 2e6, role: "activation" },
    { bytes: 1e6, role: "activation" },
    { bytes: 3e6, role: "activation" },
    { bytes: 1e6, role: "output" },
  ],
  kernels: [
    { name: "f", pass: "forward", ms: 1, inputs: [], outputs: [0] },
    { name: "g", pass: "forward", ms: 4, inputs: [0], outputs: [1] },
    { name: "h", pass: "forward", ms: 4, inputs: [1], outputs: [2], workspaceBytes: 1e6 },
    { name: "b", pass: "backward", ms: 1, inputs: [0, 2], outputs: [3] },
  ],
};
const MACHINE: Machine = {
  name: "by hand",
  deviceBytes: 6e6,
  hostBytes: 2e6,
  spillBytes: 2e6,
  offloadGBps: 1,
  prefetchGBps: 1,
  spillWriteGBps: 0.5,
  spillReadGBps: 0.5,
};

const compute = (kernel: number): PlanStep => ({ kind: "compute", kernel });
const recompute = (kernel: number): PlanStep => ({ kind: "recompute", kernel });
const offload = (tensor: number, tier: "host" | "spill" = "host"): PlanStep => ({ kind: "offload", tensor, tier });
const keep = (tensor: number): PlanStep => ({ kind: "offload", tensor, tier: "host", keep: true });
const prefetch = (tensor: number): PlanStep => ({ kind: "prefetch", tensor });
const free = (tensor: number): PlanStep => ({ kind: "free", tensor });

describe("a valid plan is timed", () => {
  const plans: readonly (readonly [what: string, stepMs: number, deviceBytes: number, steps: readonly PlanStep[]])[] = [
    ["with everything kept", 10, 7e6, [compute(0), compute(1), compute(2), free(1), compute(3)]],
    // Out 5-7, h has no room before 7, in 11-13.
    [
      "with a copy after the last use",
      14,
      6e6,
      [compute(0), compute(1), offload(0), compute(2), free(1), prefetch(0), compute(3)],
    ],
    // Out 1-3, beside g: no wait before h.
    [
      "with a copy right after the writer",
      12,
      6e6,
      [compute(0), keep(0), compute(1), free(0), compute(2), free(1), prefetch(0), compute(3)],
    ],
    [
      "with x computed again",
      11,
      6e6,
      [compute(0), compute(1), free(0), compute(2), free(1), recompute(0), compute(3)],
    ],
    // Out 1-3, write 3-7, read 9-13, in 13-15.
    [
      "through the spill tier",
      16,
      6e6,
      [
        compute(0),
        { kind: "offload", tensor: 0, tier: "spill", keep: true },
        compute(1),
        free(0),
        compute(2),
        free(1),
        prefetch(0),
        compute(3),
      ],
    ],
  ];

  test.each(plans)("%s: %s ms", (_what, stepMs, deviceBytes, steps) => {
    const machine = { ...MACHINE, deviceBytes };
    const found = validate(GRAPH, steps, machine);
    expect(found.stepMs).toBeCloseTo(stepMs, 9);
    expect(timeline(GRAPH, machine, steps).stepMs).toBeCloseTo(stepMs, 9);
  });
});

describe("a wrong plan is refused:", () => {
  const ending = [compute(2), free(1), prefetch(0), compute(3)];
  const wrong: readonly (readonly [rule: RegExp, steps: readonly PlanStep[]])[] = [
    [/input 0 is not on the device/, [compute(0), offload(0), compute(1)]],
    [/on the device already/, [compute(0), keep(0), compute(1), ...ending]],
    [/no valid copy/, [compute(0), compute(1), free(0), ...ending]],
    [/not on the device/, [compute(0), compute(1), offload(0), free(0), ...ending]],
    [/kernel 1 is due/, [compute(0), compute(2)]],
    [/not run a first time/, [recompute(0), compute(0)]],
    [/only 2 of 4 kernels/, [compute(0), compute(1)]],
    [/no such tensor/, [compute(0), free(9)]],
    [/no such kernel/, [compute(0), compute(1), compute(2), compute(3), compute(4)]],
    [
      /2.86 MiB exceed the budget of 1.91 MiB on the host/,
      [compute(0), compute(1), offload(0), { ...offload(1), keep: true } as PlanStep],
    ],
    [/must outlive/, [compute(0), compute(1), compute(2), compute(3), free(3)]],
  ];
  test.each(wrong)("%s", (rule, steps) => {
    const machine = { ...MACHINE, deviceBytes: 9e6 };
    expect(() => validate(GRAPH, steps, machine)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_PLAN", message: expect.stringMatching(rule) }),
    );
  });

  test("an in-place update has to be run again with its writer", () => {
    const graph: Graph = {
      ...GRAPH,
      kernels: GRAPH.kernels.toSpliced(1, 0, { name: "relu", pass: "forward", ms: 1, inputs: [0], outputs: [0] }),
    };
    const again = (...kernels: number[]): PlanStep[] => [
      compute(0),
      compute(1),
      compute(2),
      free(0),
      compute(3),
      ...kernels.map(recompute),
      compute(4),
    ];
    expect(validate(graph, again(0, 1), MACHINE.deviceBytes * 2).stepMs).toBeCloseTo(13, 9);
    expect(() => validate(graph, again(0), MACHINE.deviceBytes * 2)).toThrowError(
      /content of kernel 0, not of kernel 1/,
    );
  });
});
