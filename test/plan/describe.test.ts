/** Why a plan is as fast as it is: peaks, stalls, budgets and remedies of iterations whose answers are known by hand. */
import fc from "fast-check";
import { describe as suite, expect, it } from "vitest";
import type { Graph, GraphKernel, GraphTensor } from "../../src/graph/graph.ts";
import { describe } from "../../src/plan/describe.ts";
import { exceededTier, smallestBudget } from "../../src/plan/describe/budgets.ts";
import { asItIs, floorOf } from "../../src/plan/describe/peak.ts";
import { shortage } from "../../src/plan/describe/shortage.ts";
import { dryRun } from "../../src/plan/ledger.ts";
import { makePlan } from "../../src/plan/make.ts";
import { autoPolicy } from "../../src/plan/policies/auto.ts";
import { findPolicy, policies } from "../../src/plan/policies/index.ts";
import type { Machine } from "../../src/plan/policy.ts";
import { spansOf } from "../../src/plan/spans.ts";
import { timeline } from "../../src/plan/timeline.ts";
import { validate } from "../../src/plan/validate.ts";
import { smallCases, smallGraph, smallMachine } from "../support/small-graphs.ts";

const MB = 1e6;
/** As good as more moves on graphs this small, nearly. */
const auto = autoPolicy({ moves: 100 });
const quick = autoPolicy({ moves: 5 });

/** A chain of layers of one unit each, a weight of one: forward i writes a map, backward i reads it and the gradient. */
function chain(layers: number, { ms = 10, recomputable = true } = {}): Graph {
  const tensors: GraphTensor[] = [
    { bytes: MB, role: "weight", name: "w" },
    { bytes: MB, role: "input", name: "x" },
  ];
  const kernels: GraphKernel[] = [];
  const add = (role: GraphTensor["role"]): number => tensors.push({ bytes: MB, role }) - 1;
  const maps = [1];
  for (let i = 0; i < layers; i++) {
    maps.push(add("activation"));
    const [input = 0, output = 0] = maps.slice(i);
    kernels.push({
      name: "Forward",
      layer: `layer${i}`,
      pass: "forward",
      ms,
      inputs: [0, input],
      outputs: [output],
      recomputable,
    });
  }
  let upstream = maps[layers] ?? 0;
  for (let i = layers - 1; i >= 0; i--) {
    const gradient = add("gradient");
    kernels.push({
      name: "Backward",
      layer: `layer${i}`,
      pass: "backward",
      ms,
      inputs: [0, upstream, maps[i] ?? 0],
      outputs: [gradient],
    });
    upstream = gradient;
  }
  return { schema: "vdnn-graph/1", name: `chain of ${layers}`, tensors, kernels };
}

function machineOf(units: number, GBps: number, hostUnits = Number.POSITIVE_INFINITY): Machine {
  return { name: "test", deviceBytes: units * MB, hostBytes: hostUnits * MB, offloadGBps: GBps, prefetchGBps: GBps };
}

suite("the why of a plan", () => {
  it("names the kernel of the peak, what is live there by role, and what the plan makes of it", () => {
    const graph = chain(8);
    const machine = machineOf(7, 0.2);
    const { plan } = makePlan(graph, machine, auto);
    const { peak, floor } = describe(graph, machine, auto, plan);
    // Weight, input, eight maps, and the first gradient.
    expect(peak.bytes).toBe(11 * MB);
    expect(peak.at).toEqual({ kernel: 8, name: "Backward", layer: "layer7", pass: "backward" });
    expect(peak.roles).toEqual([
      { role: "activation", bytes: 8 * MB, count: 8 },
      { role: "weight", bytes: MB, count: 1 },
      { role: "input", bytes: MB, count: 1 },
      { role: "gradient", bytes: MB, count: 1 },
    ]);
    const { used, kept, host, spill, dropped } = peak.fates;
    expect(used).toBe(4 * MB);
    expect(used + kept).toBeLessThanOrEqual(machine.deviceBytes);
    expect(used + kept + host + spill + dropped).toBe(peak.bytes);
    expect(host + dropped).toBeGreaterThanOrEqual(4 * MB);
    expect(peak.largest.map(({ name }) => name)).toContain("w");
    expect(peak.largest.map(({ name }) => name)).toContain("layer0 Forward output");
    expect(floor).toMatchObject({
      bytes: 4 * MB,
      pinnedBytes: MB,
      operandBytes: 3 * MB,
      otherBytes: 0,
      workspaceBytes: 0,
    });
  });

  it("tells what the next larger budgets buy, and never that more is worse", () => {
    const graph = chain(8);
    const machine = machineOf(6, 0.08);
    const { plan } = makePlan(graph, machine, auto);
    const { larger, would, smallest } = describe(graph, machine, auto, plan);
    expect(larger.map(({ factor }) => factor)).toEqual([1.25, 1.5, 2]);
    let before = plan.predicted.stepMs;
    for (const { stepMs } of larger) {
      expect(stepMs).toBeLessThanOrEqual(before);
      before = stepMs;
    }
    expect(before).toBeCloseTo(plan.predicted.oracleMs, 9);
    expect(would.map(({ kind }) => kind)).toContain("device-memory");
    expect(smallest.asItIsBytes).toBe(11 * MB);
  });

  it("calls recomputation a help where it was forbidden and would be one", () => {
    const graph = chain(8, { ms: 1 });
    const machine = machineOf(7, 0.05);
    const settings = { recompute: false, moves: 100 };
    const policy = autoPolicy(settings);
    const { plan } = makePlan(graph, machine, policy);
    const { would, smallest } = describe(graph, machine, policy, plan, { auto: settings });
    expect(would.find(({ kind }) => kind === "recompute")).toBeDefined();
    expect(smallest.recompute).toBeNull();
  });

  it("says of kernels that may not run again that recomputing is futile, and the same of operands and weights", () => {
    const graph = chain(8, { recomputable: false });
    const machine = machineOf(6, 0.05);
    const { plan } = makePlan(graph, machine, auto);
    const { wouldNot } = describe(graph, machine, auto, plan);
    expect(wouldNot).toContainEqual({ kind: "not-recomputable", bytes: 8 * MB });
    expect(wouldNot).toContainEqual({ kind: "operands", bytes: 3 * MB });
    expect(wouldNot).toContainEqual({ kind: "weights", bytes: MB });
    expect(wouldNot).toContainEqual({ kind: "floor", bytes: 4 * MB });
  });

  it("asks for nothing but a smaller batch where nothing waits", () => {
    const graph = chain(4);
    const machine = machineOf(100, 1);
    const { plan } = makePlan(graph, machine, auto);
    const { stalls, larger, would } = describe(graph, machine, auto, plan);
    expect(stalls).toEqual({ totalMs: 0, tailMs: 0, causes: [], longest: [] });
    expect(larger).toEqual([]);
    expect(would).toEqual([{ kind: "batch", peakBytes: 6 * MB, floorBytes: 3 * MB }]);
  });
});

suite("stalls", () => {
  it("blames a late prefetch for what waits for it", () => {
    const graph = chain(3);
    const machine = machineOf(100, 0.05);
    // x1 leaves after forward 1 and is asked for right before backward 1 needs it: 20 ms each way.
    const steps = makePlan(graph, machine, findPolicy("liveness")).plan.steps.flatMap((step) => {
      if (step.kind === "compute" && step.kernel === 1)
        return [step, { kind: "offload", tensor: 2, tier: "host" } as const];
      if (step.kind === "compute" && step.kernel === 4) return [{ kind: "prefetch", tensor: 2 } as const, step];
      return [step];
    });
    const { waits, stepMs, tailMs } = spansOf(graph, machine, steps);
    expect(waits).toHaveLength(1);
    expect(waits[0]).toMatchObject({ kernel: 4, ms: 20, cause: "prefetch", tensor: 2, reason: "listed" });
    expect({ stepMs, tailMs }).toEqual({ stepMs: 80, tailMs: 0 });
  });

  it("adds up to the stall that the timeline tells, on any plan", () => {
    fc.assert(
      fc.property(smallCases(6), (small) => {
        const graph = smallGraph(small);
        const spill = {
          spillBytes: Number.POSITIVE_INFINITY,
          spillWriteGBps: small.out / 2,
          spillReadGBps: small.in / 2,
        };
        const machine = {
          ...smallMachine(small, floorOf(graph).bytes, asItIs(graph).bytes),
          ...(small.hostShare === null ? {} : spill),
        };
        for (const policy of policies.map((each) => (each.name === "auto" ? quick : each))) {
          const { steps, fits } = policy.decide(graph, machine);
          const told = timeline(graph, machine, steps);
          if (!fits || !told.fits) continue;
          const { waits, stepMs, spans, holdings } = spansOf(graph, machine, steps);
          expect(stepMs).toBeCloseTo(told.stepMs, 6);
          expect(waits.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(told.stallMs, 6);
          for (const { startMs, endMs } of spans) expect(startMs).toBeLessThanOrEqual(endMs);
          const most = { device: 0, host: 0 };
          for (const tier of ["device", "host"] as const) {
            const changes = holdings
              .filter((each) => each.tier === tier)
              .flatMap(({ fromMs, toMs, bytes }) => [[round(fromMs), bytes] as const, [round(toMs), -bytes] as const])
              .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
            let held = 0;
            for (const [, bytes] of changes) most[tier] = Math.max(most[tier], (held += bytes));
          }
          expect(most.device).toBeLessThanOrEqual(machine.deviceBytes);
          expect(most.host).toBeLessThanOrEqual(machine.hostBytes);
        }
      }),
      { numRuns: 60 },
    );
  });
});

suite("the smallest budget", () => {
  it("works when it is planned for, and is never below what the hungriest kernel needs", () => {
    fc.assert(
      fc.property(smallCases(6), fc.boolean(), (small, recompute) => {
        const graph = smallGraph(small);
        const machine = smallMachine(small, floorOf(graph).bytes, asItIs(graph).bytes);
        const policy = autoPolicy({ recompute, moves: 20 });
        const found = smallestBudget(graph, machine, policy);
        if (found === null) return;
        expect(found.bytes).toBeGreaterThanOrEqual(found.floorBytes);
        expect(found.bytes).toBeLessThanOrEqual(asItIs(graph).bytes);
        const on = { ...machine, deviceBytes: found.bytes };
        const { steps, fits } = policy.decide(graph, on);
        expect(fits).toBe(true);
        expect(validate(graph, steps, on).stepMs).toBeCloseTo(found.stepMs, 6);
      }),
      { numRuns: 40 },
    );
  });

  it("is the whole iteration where nothing may move or run again", () => {
    const graph = chain(5, { recomputable: false });
    const found = smallestBudget(graph, machineOf(1, 0), auto);
    expect(found?.bytes).toBe(asItIs(graph).bytes);
  });

  it("is what a policy that adapts to nothing needs, to the byte", () => {
    const graph = chain(5);
    for (const name of ["none", "liveness", "vdnn-all", "checkpoint"]) {
      const policy = findPolicy(name);
      const { steps } = policy.decide(graph, machineOf(1, 1));
      expect(smallestBudget(graph, machineOf(1, 1), policy)?.bytes).toBe(dryRun(graph, steps).peakDeviceBytes);
    }
  });

  it("is told in the error of a plan that does not fit", () => {
    const graph = chain(8);
    const machine = machineOf(3, 1);
    const error = shortage(graph, machine, auto);
    expect(error).toMatchObject({
      code: "ERR_OUT_OF_MEMORY",
      details: { smallestFeasibleBytes: 4 * MB, deviceBytes: 3 * MB, floor: { bytes: 4 * MB } },
    });
    expect(error.message).toContain("needs 3.81 MiB at once");
    expect(error.message).toContain("raise --device-memory to 4000000");
  });

  it("is not what helps where the host is full", () => {
    const graph = chain(8, { recomputable: false });
    const error = shortage(graph, machineOf(5, 1, 1), auto);
    expect(error.code).toBe("ERR_HOST_MEMORY");
    expect(error.details["remedies"]).toContain("raise --host-memory or add --spill");
    const bytes = Number(error.details["smallestFeasibleBytes"]);
    expect(makePlan(graph, { ...machineOf(5, 1, 1), deviceBytes: bytes }, auto).fits).toBe(true);
  });

  it("knows a refused plan by the tier that was exceeded", () => {
    const graph = chain(4);
    const { steps } = findPolicy("liveness").decide(graph, machineOf(1, 1));
    let caught: unknown;
    try {
      validate(graph, steps, machineOf(3, 1));
    } catch (error) {
      caught = error;
    }
    expect(exceededTier(caught)?.tier).toBe("device");
    expect(exceededTier(new Error("other"))).toBeNull();
    expect(dryRun(graph, steps).peakDeviceBytes).toBeGreaterThan(3 * MB);
  });
});

/** To the nanosecond: ends are sums, starts are differences. */
function round(ms: number): number {
  return Math.round(ms * 1e6) / 1e6;
}
