/** The schedule of pruning, and what is left after it. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { modelLayers } from "../../../src/compression/training/layers.ts";
import { Masks } from "../../../src/compression/training/masks.ts";
import { pruneInRounds, type PruningRound, shareAfter } from "../../../src/compression/training/prune.ts";
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
  const retraining = { epochs: 1, learningRate: 3e-3 };
  await pruneInRounds(classifierOf(tf, model), prunable, final, masks, { rounds: 3, retraining }, async (round) => {
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
