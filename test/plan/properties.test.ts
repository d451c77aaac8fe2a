/**
 * What must hold for every policy on random iterations and machines, with the validator as the judge: plans keep the rules and
 * the budgets, the timeline says what the validator finds, more memory or bandwidth never hurts, and a plan with a planted fault
 * is refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepGraph } from "../../benchmarks/deep-graph.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { randomOf } from "../../src/plan/auto/random.ts";
import { dryRun, smallestFeasibleBytes } from "../../src/plan/ledger.ts";
import { makePlan } from "../../src/plan/make.ts";
import type { PlanStep } from "../../src/plan/plan.ts";
import { autoPolicy } from "../../src/plan/policies/auto.ts";
import { findPolicy, policies } from "../../src/plan/policies/index.ts";
import type { Machine, Policy } from "../../src/plan/policy.ts";
import { timeline } from "../../src/plan/timeline.ts";
import { validate } from "../../src/plan/validate.ts";
import { chainGraph, chainShapes } from "../support/graphs.ts";
import { smallCases, smallGraph } from "../support/small-graphs.ts";

const graphs: fc.Arbitrary<Graph> = fc.oneof(chainShapes.map(chainGraph), smallCases(8).map(smallGraph));

/** Without optimizer state, which policies treat as a last resort. */
const stateless = fc.oneof(
  chainShapes.map((shape) => chainGraph({ ...shape, hasState: false })),
  smallCases(8).map(smallGraph),
);

/** Budgets as shares of what everything together takes, links from far too slow to far too fast. */
interface MachineShape {
  readonly device: number;
  readonly host: number | null;
  readonly spill: number;
  readonly out: number;
  readonly in: number;
  readonly disk: number;
}

const machineShapes: fc.Arbitrary<MachineShape> = fc.record({
  device: fc.double({ min: 0.1, max: 1, noNaN: true }),
  host: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 2 }),
  spill: fc.constantFrom(0, 0, 0.5, 1),
  out: fc.constantFrom(0.02, 0.2, 2),
  in: fc.constantFrom(0.02, 0.2, 2),
  disk: fc.constantFrom(0.01, 0.1),
});

function machineOf(graph: Graph, { device, host, spill, out, in: back, disk }: MachineShape): Machine {
  const all = graph.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    name: "random",
    deviceBytes: Math.ceil(all * device),
    hostBytes: host === null ? Number.POSITIVE_INFINITY : Math.floor(all * host),
    spillBytes: Math.floor(all * spill),
    offloadGBps: out,
    prefetchGBps: back,
    spillWriteGBps: spill > 0 ? disk : 0,
    spillReadGBps: spill > 0 ? disk : 0,
  };
}

/** Few moves: the rules do not depend on how long the search goes on. */
const quick: Policy = autoPolicy({ moves: 20 });
const all: readonly Policy[] = [...policies.filter(({ name }) => name !== "auto"), quick];

const UNLIMITED: Machine = {
  name: "unlimited",
  deviceBytes: Number.POSITIVE_INFINITY,
  hostBytes: Number.POSITIVE_INFINITY,
  offloadGBps: 1,
  prefetchGBps: 1,
};

describe.each(all.map((policy) => [policy.name, policy] as const))("policy %s", (_name, policy) => {
  test("makes a plan that keeps every rule and budget, or says that it does not fit; timed as the validator times it", () => {
    fc.assert(
      fc.property(graphs, machineShapes, (graph, shape) => {
        const machine = machineOf(graph, shape);
        const { steps, fits } = policy.decide(graph, machine);
        const run = dryRun(graph, steps);
        // Judged by its own needs where it does not fit: it must still be a plan.
        const judge: Machine = fits && !policy.passthrough ? machine : roomy(machine, run);
        const found = validate(graph, steps, judge);
        const timed = timeline(graph, judge, steps);
        expect(timed.fits).toBe(true);
        expect(timed.stepMs).toBeCloseTo(found.stepMs, 6);
        expect(timed.stallMs).toBeCloseTo(found.stallMs, 6);
        expect(run.peakDeviceBytes).toBe(found.peakDeviceBytes);
        expect(run.peakHostBytes).toBe(found.peakHostBytes);
        expect(run.peakSpillBytes).toBe(found.peakSpillBytes);
      }),
      { numRuns: 100 },
    );
  });
});

test.each([0.7, 0.8, 0.9])("a draft for %s of the peak, where copies stop compute, is a whole plan", (share) => {
  const graph = deepGraph(20, randomOf(1));
  const peakBytes = dryRun(graph, findPolicy("liveness").decide(graph, UNLIMITED).steps).peakDeviceBytes;
  const machine: Machine = { ...UNLIMITED, deviceBytes: Math.floor(share * peakBytes), copiesBlock: true };
  const { steps, fits } = findPolicy("auto").decide(graph, machine, "draft");
  expect(fits).toBe(true);
  validate(graph, steps, machine);
});

/** The same machine with room for what the steps need. */
function roomy(machine: Machine, run: ReturnType<typeof dryRun>): Machine {
  return {
    ...machine,
    deviceBytes: Math.max(machine.deviceBytes, run.peakDeviceBytes),
    hostBytes: Math.max(machine.hostBytes, run.peakHostBytes),
    spillBytes: Math.max(machine.spillBytes ?? 0, run.peakSpillBytes),
    offloadGBps: Math.max(machine.offloadGBps, 0.01),
    prefetchGBps: Math.max(machine.prefetchGBps, 0.01),
    spillWriteGBps: Math.max(machine.spillWriteGBps ?? 0, 0.01),
    spillReadGBps: Math.max(machine.spillReadGBps ?? 0, 0.01),
  };
}

describe("auto", () => {
  test("fits whenever what the hungriest kernel needs at once fits, with host memory enough", () => {
    fc.assert(
      fc.property(stateless, (graph) => {
        // Inputs can leave between their uses only.
        const movable = (t: number): boolean => ["activation", "gradient"].includes(graph.tensors[t]?.role ?? "");
        const { bytes } = smallestFeasibleBytes(graph, movable);
        const machine = { ...UNLIMITED, deviceBytes: bytes };
        const { steps, fits } = quick.decide(graph, machine);
        expect(fits).toBe(true);
        validate(graph, steps, machine);
      }),
      { numRuns: 100 },
    );
  });

  const grows: readonly (readonly [what: string, more: (machine: Machine, by: number) => Machine])[] = [
    ["device memory", (machine, by) => ({ ...machine, deviceBytes: Math.ceil(machine.deviceBytes * by) })],
    ["host memory", (machine, by) => ({ ...machine, hostBytes: Math.ceil(machine.hostBytes * by) })],
    ["bandwidth out", (machine, by) => ({ ...machine, offloadGBps: machine.offloadGBps * by })],
    ["bandwidth in", (machine, by) => ({ ...machine, prefetchGBps: machine.prefetchGBps * by })],
  ];

  test.each(grows)("is never slower with more %s", (_what, more) => {
    fc.assert(
      fc.property(graphs, machineShapes, fc.double({ min: 1.01, max: 2, noNaN: true }), (graph, shape, by) => {
        const machine = machineOf(graph, shape);
        const [less, greater] = [makePlan(graph, machine, quick), makePlan(graph, more(machine, by), quick)];
        if (!less.fits) return;
        expect(greater.fits).toBe(true);
        expect(greater.plan.predicted.stepMs).toBeLessThanOrEqual(less.plan.predicted.stepMs * (1 + 1e-9));
      }),
      { numRuns: 100 },
    );
  });
});

describe("auto, in long iterations", () => {
  const graph = deepGraph(400, randomOf(1));
  const { steps } = findPolicy("liveness").decide(graph, UNLIMITED);
  const peakBytes = dryRun(graph, steps).peakDeviceBytes;
  const stepMs = (share: number, hostShare: number, gbps: number): number => {
    const machine = { ...UNLIMITED, deviceBytes: Math.floor(share * peakBytes), hostBytes: hostShare * peakBytes };
    const made = makePlan(graph, { ...machine, offloadGBps: gbps, prefetchGBps: gbps }, autoPolicy());
    expect(made.fits).toBe(true);
    return made.plan.predicted.stepMs;
  };

  test.each([0.3, 0.5])(
    "is not slower by more than half a percent with more host memory, at %d of the peak",
    (share) => {
      let least = Number.POSITIVE_INFINITY;
      for (const hostShare of [0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, Number.POSITIVE_INFINITY]) {
        const ms = stepMs(share, hostShare, 3);
        expect(ms).toBeLessThanOrEqual(least * 1.005);
        least = Math.min(least, ms);
      }
    },
  );

  test.each([0.3, 0.5])(
    "is not slower by more than a percent over any link than without one, at %d of the peak",
    (share) => {
      const without = stepMs(share, 0, 0);
      for (const gbps of [0.1, 1, 3, 12])
        expect(stepMs(share, Number.POSITIVE_INFINITY, gbps)).toBeLessThanOrEqual(without * 1.01);
    },
  );
});

describe("the validator refuses a plan in which", () => {
  const faults: readonly (readonly [
    what: string,
    plant: (graph: Graph, steps: PlanStep[], pick: number) => boolean,
  ])[] = [
    ["a prefetch is dropped", (_graph, steps, pick) => drop(steps, pick, ({ kind }) => kind === "prefetch")],
    [
      "a prefetch comes after its use",
      (graph, steps, pick) => {
        const at = choose(steps, pick, ({ kind }) => kind === "prefetch");
        const prefetch = steps[at];
        if (prefetch?.kind !== "prefetch") return false;
        const use = steps.findIndex((step, i) => i > at && inputsOf(graph, step).includes(prefetch.tensor));
        if (use < 0) return false;
        steps.splice(use + 1, 0, prefetch);
        steps.splice(at, 1);
        return true;
      },
    ],
    [
      "a tensor is freed before its last use",
      (graph, steps, pick) => {
        const at = choose(steps, pick, ({ kind }) => kind === "free");
        const free = steps[at];
        if (free?.kind !== "free") return false;
        const use = steps.findLastIndex((step, i) => i < at && inputsOf(graph, step).includes(free.tensor));
        if (use < 0) return false;
        steps.splice(at, 1);
        steps.splice(use, 0, free);
        return true;
      },
    ],
    [
      "two kernels are swapped",
      (_graph, steps, pick) => {
        const at = choose(steps, pick, ({ kind }) => kind === "compute");
        const next = steps.findIndex(({ kind }, i) => i > at && kind === "compute");
        const [a, b] = [steps[at], steps[next]];
        if (a === undefined || b === undefined) return false;
        [steps[at], steps[next]] = [b, a];
        return true;
      },
    ],
    ["a kernel is left out", (_graph, steps, pick) => drop(steps, pick, ({ kind }) => kind === "compute")],
    [
      "a tensor is freed twice",
      (_graph, steps, pick) => {
        const at = choose(steps, pick, ({ kind }) => kind === "free");
        const free = steps[at];
        if (free === undefined) return false;
        steps.splice(at, 0, free);
        return true;
      },
    ],
    [
      "a tensor is offloaded before it is written",
      (graph, steps, pick) => {
        const written = graph.kernels.findIndex(
          ({ outputs }, k) =>
            k >= pick % graph.kernels.length && outputs.some((t) => graph.tensors[t]?.role === "activation"),
        );
        const tensor = graph.kernels[written]?.outputs.find((t) => graph.tensors[t]?.role === "activation");
        if (tensor === undefined) return false;
        const first = graph.kernels.findIndex(({ outputs }) => outputs.includes(tensor));
        const at = steps.findIndex((step) => step.kind === "compute" && step.kernel === first);
        steps.splice(at, 0, { kind: "offload", tensor, tier: "host" });
        return true;
      },
    ],
    [
      "a copy goes to a tier that the machine lacks",
      (graph, steps, pick) => {
        const at = choose(
          steps,
          pick,
          (step) => step.kind === "offload" && (graph.tensors[step.tensor]?.bytes ?? 0) > 0,
        );
        const offload = steps[at];
        if (offload?.kind !== "offload") return false;
        steps[at] = { ...offload, tier: "spill" };
        return true;
      },
    ],
    [
      "a kernel is run again that must not",
      (graph, steps, pick) => {
        const at = choose(
          steps,
          pick,
          (step) => step.kind === "compute" && graph.kernels[step.kernel]?.recomputable === false,
        );
        const compute = steps[at];
        if (compute?.kind !== "compute") return false;
        steps.splice(at + 1, 0, { kind: "recompute", kernel: compute.kernel });
        return true;
      },
    ],
    [
      "a kernel is run again on inputs that were overwritten",
      (graph, steps, pick) => {
        const at = choose(steps, pick, (step) => {
          const { inputs = [], outputs = [] } = step.kind === "compute" ? (graph.kernels[step.kernel] ?? {}) : {};
          return outputs.some((t) => inputs.includes(t));
        });
        const compute = steps[at];
        if (compute?.kind !== "compute") return false;
        steps.splice(at + 1, 0, { kind: "recompute", kernel: compute.kernel });
        return true;
      },
    ],
    [
      "what outlives the iteration is freed",
      (graph, steps) => {
        const tensor = graph.tensors.findIndex(({ role }) => role === "input" || role === "weight");
        steps.push({ kind: "free", tensor });
        return true;
      },
    ],
  ];

  test.each(faults)("%s", (_what, plant) => {
    let planted = 0;
    fc.assert(
      fc.property(
        stateless,
        fc.nat({ max: 1000 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (graph, pick, share) => {
          // Every third kernel is impure, whatever the generator said.
          const kernels = graph.kernels.map((kernel, k) => (k % 3 === 0 ? { ...kernel, recomputable: false } : kernel));
          const impure = { ...graph, kernels };
          const keep = dryRun(impure, findPolicy("liveness").decide(impure, UNLIMITED).steps).peakDeviceBytes;
          const machine = { ...UNLIMITED, deviceBytes: Math.ceil(keep * Math.max(share, 0.3)) };
          const { steps, fits } = quick.decide(impure, machine);
          const judge = fits ? machine : UNLIMITED;
          validate(impure, steps, judge);
          const broken = [...steps];
          if (!plant(impure, broken, pick)) return;
          planted++;
          expect(() => validate(impure, broken, judge)).toThrowError(
            expect.objectContaining({ code: "ERR_INVALID_PLAN" }),
          );
        },
      ),
      { numRuns: 150 },
    );
    expect(planted).toBeGreaterThan(10);
  });

  test("a budget is one byte too small", () => {
    fc.assert(
      fc.property(graphs, machineShapes, (graph, shape) => {
        const { steps } = findPolicy("vdnn-all").decide(graph, machineOf(graph, shape));
        const machine = roomy(
          { ...machineOf(graph, shape), deviceBytes: 0, hostBytes: 0, spillBytes: 0 },
          dryRun(graph, steps),
        );
        validate(graph, steps, machine);
        for (const tier of ["deviceBytes", "hostBytes"] as const) {
          if (machine[tier] === 0) continue;
          expect(() => validate(graph, steps, { ...machine, [tier]: machine[tier] - 1 })).toThrowError(
            /exceed the budget/,
          );
        }
      }),
    );
  });
});

/** Position of one of the steps that are meant; -1 for none. */
function choose(steps: readonly PlanStep[], pick: number, isMeant: (step: PlanStep) => boolean): number {
  const positions = [...steps.keys()].filter((i) => isMeant(steps[i] as PlanStep));
  return positions[pick % positions.length] ?? -1;
}

function drop(steps: PlanStep[], pick: number, isMeant: (step: PlanStep) => boolean): boolean {
  const at = choose(steps, pick, isMeant);
  if (at < 0) return false;
  steps.splice(at, 1);
  return true;
}

function inputsOf(graph: Graph, step: PlanStep): readonly number[] {
  return step.kind === "compute" || step.kind === "recompute" ? (graph.kernels[step.kernel]?.inputs ?? []) : [];
}
