/** The recompute planner against the dry run, brute force, and itself at other budgets. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../../src/graph/graph.ts";
import { recomputeCandidates, Repricer } from "../../../src/plan/auto/recompute-candidates.ts";
import { recomputeModel } from "../../../src/plan/auto/recompute-model.ts";
import { Lives } from "../../../src/plan/auto/recompute-lives.ts";
import { planRecompute } from "../../../src/plan/auto/recompute.ts";
import { recomputeUnits } from "../../../src/plan/recompute-units.ts";
import { originalSteps, type Rerun, rewrite } from "../../../src/plan/auto/rewrite.ts";
import { dryRun } from "../../../src/plan/ledger.ts";
import { weave } from "../../../src/plan/steps.ts";
import { validate } from "../../../src/plan/validate.ts";
import { chainGraph, chainShapes } from "../../support/graphs.ts";
import { interpret, randomGraphs } from "./recompute-graphs.ts";

const peakOf = (graph: Graph): number => dryRun(graph, weave(graph, [])).peakDeviceBytes;

/** What is updated in place without being read counts as kept in the search, and is freed by the dry run. */
const readsWhatItUpdates = (graph: Graph): Graph => {
  const written = new Set(
    graph.tensors.flatMap(({ role }, t) => (["weight", "state", "input"].includes(role) ? [t] : [])),
  );
  const kernels = graph.kernels.map((kernel) => {
    const updated = kernel.outputs.filter((t) => written.has(t));
    for (const t of kernel.outputs) written.add(t);
    return { ...kernel, inputs: [...new Set([...kernel.inputs, ...updated])] };
  });
  return { ...graph, kernels };
};

describe("the search's memory curve", () => {
  test("is the dry run's, whatever is added and removed", () => {
    const moves = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(randomGraphs.map(readsWhatItUpdates), moves, (graph, list) => {
        const model = recomputeModel(graph);
        const lives = new Lives(model);
        lives.follow();
        for (const [a, b, removes] of list) {
          const unit = a % model.units.count;
          const stage = b % model.kernelCount;
          if (lives.canAdd(unit, stage)) lives.add(unit, stage);
          else if (removes && lives.runs[unit]?.includes(stage) === true) lives.remove(unit, stage);
        }
        const choice: Rerun[] = lives.runs.flatMap((stages, unit) =>
          stages.map((before) => ({ kernel: model.units.members[model.units.memberStart[unit] ?? 0] ?? 0, before })),
        );
        const rewritten = rewrite(graph, choice);
        expect(lives.recomputeMs).toBeCloseTo(rewritten.recomputeMs, 6);
        // Bytes that are there before the first kernel runs count in the dry run even where no kernel is that full.
        expect(lives.peakBytes()).toBe(Math.max(model.pinnedBytes, peakOf(rewritten.graph)));
        const fresh = new Lives(model);
        for (const { kernel, before } of choice) fresh.add(model.units.unitOf[kernel] ?? 0, before);
        fresh.follow();
        for (let k = 0; k < model.kernelCount; k++) expect(lives.peaks.at(k)).toBe(fresh.peaks.at(k));
      }),
      { numRuns: 300 },
    );
  });
});

describe("planRecompute", () => {
  test("keeps its word: what it says fits passes the validator at the budget and computes the same values", () => {
    fc.assert(
      fc.property(randomGraphs, fc.double({ min: 0.3, max: 1, noNaN: true }), (graph, share) => {
        const deviceBytes = Math.floor(share * peakOf(graph));
        const plan = planRecompute(graph, deviceBytes);
        const rewritten = rewrite(graph, plan.choice);
        const steps = originalSteps(rewritten, weave(rewritten.graph, []));
        expect(rewritten.recomputeMs).toBeCloseTo(plan.recomputeMs, 6);
        if (plan.fits) validate(graph, steps, deviceBytes);
        expect(interpret(graph, steps).reads).toEqual(interpret(graph, weave(graph, [])).reads);
      }),
      { numRuns: 80 },
    );
  });

  test("recomputes nothing where everything fits", () => {
    fc.assert(
      fc.property(randomGraphs.map(readsWhatItUpdates), (graph) => {
        expect(planRecompute(graph, peakOf(graph))).toMatchObject({ choice: [], recomputeMs: 0, fits: true });
      }),
      { numRuns: 50 },
    );
  });

  test("is deterministic", () => {
    fc.assert(
      fc.property(chainShapes, (shape) => {
        const graph = chainGraph(shape);
        const deviceBytes = 0.6 * peakOf(graph);
        expect(planRecompute(graph, deviceBytes)).toEqual(planRecompute(graph, deviceBytes));
      }),
      { numRuns: 20 },
    );
  });

  test("is rarely dearer than the best of all sets of re-runs on tiny graphs, and finds one whenever there is one", () => {
    let ours = 0;
    let best = 0;
    let missed = 0;
    let cases = 0;
    fc.assert(
      fc.property(tinyGraphs, fc.double({ min: 0.6, max: 0.95, noNaN: true }), (graph, share) => {
        const deviceBytes = Math.floor(share * peakOf(graph));
        const optimum = bruteForce(graph, deviceBytes);
        const plan = planRecompute(graph, deviceBytes);
        if (!Number.isFinite(optimum)) return;
        cases++;
        missed += plan.fits ? 0 : 1;
        ours += plan.fits ? plan.recomputeMs : 0;
        best += plan.fits ? optimum : 0;
      }),
      { numRuns: 100, seed: 7 },
    );
    expect(cases).toBeGreaterThan(60);
    expect(missed / cases).toBeLessThan(0.03);
    expect(ours).toBeLessThan(1.02 * best);
  });
});

describe("candidates", () => {
  test("are legal, ordered, and never cheaper than their bound", () => {
    fc.assert(
      fc.property(randomGraphs, (graph) => {
        const candidates = recomputeCandidates(recomputeModel(graph));
        candidates.forEach((candidate, i) => {
          expect(candidate.msPerByte).toBeGreaterThanOrEqual(candidates[i - 1]?.msPerByte ?? 0);
          expect(candidate.ms).toBeGreaterThanOrEqual(candidate.leastMs);
          expect(rewrite(graph, candidate.reruns).recomputeMs).toBeCloseTo(candidate.ms, 6);
        });
      }),
      { numRuns: 200 },
    );
  });

  test("can be priced on top of a choice", () => {
    fc.assert(
      fc.property(randomGraphs.map(readsWhatItUpdates), (graph) => {
        const repricer = new Repricer(graph);
        const choice: Rerun[] = [];
        for (const { reruns } of recomputeCandidates(recomputeModel(graph))) {
          const before = repricer.recomputeMs;
          const { ms } = repricer.price(reruns);
          choice.push(...repricer.add(reruns));
          expect(repricer.recomputeMs - before).toBeCloseTo(ms, 6);
        }
        expect(rewrite(graph, choice).recomputeMs).toBeCloseTo(repricer.recomputeMs, 6);
      }),
      { numRuns: 100 },
    );
  });
});

/** Chains of a few layers, so that all sets of re-runs can be tried. */
const tinyGraphs: fc.Arbitrary<Graph> = fc
  .array(fc.record({ ms: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 1, max: 9 }), skip: fc.boolean() }), {
    minLength: 3,
    maxLength: 5,
  })
  .map((layers) => {
    const n = layers.length;
    const tensors: Graph["tensors"] = [
      ...layers.map(({ bytes }) => ({ bytes, role: "activation" as const })),
      ...layers.map(() => ({ bytes: 2, role: "gradient" as const })),
    ];
    const forward = layers.map(({ ms, skip }, i) => ({
      name: `f${i}`,
      pass: "forward" as const,
      ms,
      inputs: i === 0 ? [] : skip && i > 1 ? [i - 1, i - 2] : [i - 1],
      outputs: [i],
    }));
    const backward = layers.map((_, i) => ({
      name: `b${n - 1 - i}`,
      pass: "backward" as const,
      ms: 1,
      inputs: i === 0 ? [n - 1] : [n - 1 - i, n + i - 1],
      outputs: [n + i],
    }));
    return { schema: "vdnn-graph/1", name: "tiny", tensors, kernels: [...forward, ...backward] };
  });

/** Depth-first over all sets of at most four re-runs. */
function bruteForce(graph: Graph, deviceBytes: number): number {
  const units = recomputeUnits(graph);
  const model = recomputeModel(graph);
  const lives = new Lives(model);
  lives.follow();
  let best = Number.POSITIVE_INFINITY;
  const options: [number, number][] = [];
  for (let unit = 0; unit < units.count; unit++) {
    for (let stage = 0; stage < model.kernelCount; stage++) {
      if (lives.canAdd(unit, stage) && stage >= model.kernelCount / 2) options.push([unit, stage]);
    }
  }
  const search = (from: number, left: number): void => {
    if (lives.recomputeMs >= best) return;
    if (lives.peakBytes() <= deviceBytes) {
      best = lives.recomputeMs;
      return;
    }
    if (left === 0) return;
    for (let i = from; i < options.length; i++) {
      const [unit, stage] = options[i] ?? [0, 0];
      lives.add(unit, stage);
      search(i + 1, left - 1);
      lives.remove(unit, stage);
    }
  };
  search(0, 4);
  return best;
}
