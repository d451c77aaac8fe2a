/** Sensitivities and the shares that follow: nothing is changed by measuring, targets are met, and what costs more keeps more. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { accuracyOf } from "../../../src/compression/training/classifier.ts";
import { modelLayers } from "../../../src/compression/training/layers.ts";
import {
  chooseShares,
  measureSensitivities,
  type Sensitivities,
} from "../../../src/compression/training/sensitivity.ts";
import type { TensorFlow } from "../../../src/networks/index.ts";
import { bitsOf, classifierOf, DATA, smallModel, trained } from "./small.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

describe("measuring", () => {
  test("prunes one layer at a time, tells the dense accuracy, and leaves the model as it was", async () => {
    const model = await trained(tf, smallModel(tf));
    const classifier = classifierOf(tf, model);
    const { prunable } = await modelLayers(model);
    const before = bitsOf(model);
    const { dense, layers } = await measureSensitivities(classifier, prunable, DATA.test, [0.05, 1, 0.5]);
    expect(bitsOf(model)).toBe(before);
    expect(dense).toBe(await accuracyOf(classifier, DATA.test));
    expect(layers.map(({ name, weights }) => [name, weights])).toEqual([
      ["ip1", 3000],
      ["ip2", 300],
      ["ip3", 100],
    ]);
    for (const { points } of layers) {
      expect(points.map(({ share }) => share)).toEqual([1, 0.5, 0.05]);
      expect(points[0]?.accuracy).toBe(dense);
      expect(points[2]?.accuracy).toBeLessThan(dense);
    }
    model.dispose();
  });

  test("refuses a share that is none, before anything is pruned", async () => {
    const model = smallModel(tf);
    const { prunable } = await modelLayers(model);
    const measured = measureSensitivities(classifierOf(tf, model), prunable, DATA.test, [0.5, 0]);
    await expect(measured).rejects.toThrow(/above 0 and up to 1, got 0/);
    model.dispose();
  });
});

const share = fc.double({ min: 0.01, max: 1, noNaN: true });
const points = fc
  .uniqueArray(share, { minLength: 1, maxLength: 6 })
  .chain((shares) =>
    fc.tuple(
      ...shares.toSorted((a, b) => b - a).map((each) => fc.record({ share: fc.constant(each), accuracy: share })),
    ),
  );
const sensitivities: fc.Arbitrary<Sensitivities> = fc.record({
  dense: share,
  layers: fc
    .array(fc.record({ weights: fc.integer({ min: 1, max: 1e6 }), points }), { minLength: 1, maxLength: 5 })
    .map((layers) => layers.map((layer, i) => ({ name: `layer${i}`, ...layer }))),
});

/** Of all weights, what `shares` keeps. */
function keptOf({ layers }: Sensitivities, shares: ReadonlyMap<string, number>): number {
  const total = layers.reduce((sum, { weights }) => sum + weights, 0);
  return layers.reduce((sum, { name, weights }) => sum + weights * (shares.get(name) ?? 0), 0) / total;
}

describe("choosing", () => {
  test("keeps what was asked for, and of every layer something, whatever was measured", () => {
    fc.assert(
      fc.property(sensitivities, fc.double({ min: 0.005, max: 1, noNaN: true }), (measured, target) => {
        const shares = chooseShares(measured, target);
        for (const { name } of measured.layers) {
          expect(shares.get(name)).toBeGreaterThan(0);
          expect(shares.get(name)).toBeLessThanOrEqual(1);
        }
        expect(keptOf(measured, shares)).toBeLessThanOrEqual(target + 1e-9);
        expect(keptOf(measured, shares)).toBeGreaterThan(target - 1e-9);
      }),
    );
  });

  test("costs all layers the same accuracy, so that of two layers the more sensitive keeps more", () => {
    const at = (accuracies: readonly number[]): { share: number; accuracy: number }[] =>
      accuracies.map((accuracy, i) => ({ share: [0.5, 0.25, 0.1][i] ?? 0, accuracy }));
    const shares = chooseShares(
      {
        dense: 1,
        layers: [
          { name: "robust", weights: 100, points: at([1, 1, 0.8]) },
          { name: "fragile", weights: 100, points: at([0.8, 0.6, 0]) },
        ],
      },
      0.35,
    );
    // At a cost of 0.2 the one keeps 0.1 and the other 0.5, 0.3 together; at 0.16 it is 0.13 and 0.6, 0.365.
    expect(shares.get("robust")).toBeGreaterThan(0.1);
    expect(shares.get("robust")).toBeLessThan(0.15);
    expect(shares.get("fragile")).toBeGreaterThan(0.55);
    expect(shares.get("fragile")).toBeLessThan(0.6);
  });
});
