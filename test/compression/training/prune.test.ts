/** The schedule of pruning, and what is left after it. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { modelLayers } from "../../../src/compression/training/layers.ts";
import { Masks } from "../../../src/compression/training/masks.ts";
import {
  pruneBy,
  pruneInRounds,
  type PruningRound,
  shareAfter,
  type ThresholdRule,
} from "../../../src/compression/training/prune.ts";

import { standardDeviation } from "../../../src/compression/pruning.ts";
import { readWeight } from "../../../src/compression/training/weights.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { classifierOf, smallModel } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

describe("the schedule", () => {
  test("goes from everything to the final share, in steps that get smaller", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0.001, max: 1, noNaN: true }), (rounds, final) => {
        const shares = Array.from({ length: rounds + 1 }, (_, round) => shareAfter(round, rounds, final));
        expect(shares[0]).toBeCloseTo(1, 12);
        expect(shares.at(-1)).toBe(final);
        const steps = shares.slice(1).map((share, i) => (shares[i] ?? 0) - share);
        expect(steps.every((step, i) => step >= 0 && step <= (steps[i - 1] ?? 1) + 1e-12)).toBe(true);
      }),
    );
  });
});

test("each round keeps its shares exactly, and no weight that went comes back", async () => {
  const model = smallModel(tf);
  const masks = new Masks(tf);
  const { prunable } = await modelLayers(model);
  const rounds: PruningRound[] = [];
  const zeros: Set<number>[] = prunable.map(() => new Set());
  const final = new Map([
    ["ip1", 0.05],
    ["ip2", 0.1],
    ["ip3", 1],
  ]);
  const rules = new Map([...final].map(([name, share]) => [name, { kind: "kept", share } as const]));
  const retraining = { epochs: 1, learningRate: 3e-3 };
  await pruneInRounds(classifierOf(tf, model), prunable, rules, masks, { rounds: 3, retraining }, async (round) => {
    rounds.push(round);
    for (const [i, { name, kernel }] of prunable.entries()) {
      const weights = await readWeight(kernel);
      const kept = weights.filter((weight) => weight !== 0).length;
      expect(kept).toBe(Math.round(weights.length * (round.kept.get(name) ?? 0)));
      for (const gone of zeros[i] ?? []) expect(weights[gone]).toBe(0);
      weights.forEach((weight, at) => weight === 0 && zeros[i]?.add(at));
    }
  });
  expect(rounds.map(({ round }) => round)).toEqual([1, 2, 3]);
  expect(rounds.at(-1)?.kept).toEqual(final);
  expect(zeros.map(({ size }) => size)).toEqual([2850, 270, 0]);
  masks.dispose();
  model.dispose();
});

describe("a threshold", () => {
  test.each<[string, ThresholdRule, (weights: Float32Array) => number]>([
    ["on magnitudes", { kind: "threshold", magnitude: 0.06 }, () => 0.06],
    ["in standard deviations of what is left", { kind: "quality", quality: 0.5 }, (w) => 0.5 * standardDeviation(w)],
  ])("%s rises in equal steps, and only weights above it stay", async (_, rule, limitOf) => {
    const model = smallModel(tf);
    const masks = new Masks(tf);
    const { prunable } = await modelLayers(model);
    const before = new Map<string, Float32Array>();
    for (const { name, kernel } of prunable) before.set(name, await readWeight(kernel));
    const rules = new Map(prunable.map(({ name }) => [name, rule]));
    const retraining = { epochs: 0, learningRate: 1e-3 };
    const shares: number[] = [];
    await pruneInRounds(classifierOf(tf, model), prunable, rules, masks, { rounds: 2, retraining }, async (round) => {
      for (const { name, kernel } of prunable) {
        const limit = (limitOf(before.get(name) ?? new Float32Array()) * round.round) / 2;
        const expected = before.get(name)?.map((weight) => (Math.abs(weight) > limit ? weight : 0));
        const weights = await readWeight(kernel);
        expect(weights).toEqual(expected);
        expect(round.kept.get(name)).toBe(weights.filter((weight) => weight !== 0).length / weights.length);
        before.set(name, weights);
      }
      shares.push(round.kept.get("ip1") ?? Number.NaN);
    });
    expect(shares[1]).toBeLessThan(shares[0] ?? Number.NaN);
    masks.dispose();
    model.dispose();
  });

  test("above all weights of a layer is refused", async () => {
    const model = smallModel(tf);
    const masks = new Masks(tf);
    const { prunable } = await modelLayers(model);
    const rules = new Map([["ip2", { kind: "threshold", magnitude: 9 } as const]]);
    await expect(pruneBy(prunable, rules, masks)).rejects.toThrow(/threshold: all 300 weights of ip2 are below it/);
    masks.dispose();
    model.dispose();
  });
});
