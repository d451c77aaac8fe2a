/** Costs on the row-stationary accelerator: what must hold of any layer, and what is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENERGY_PARTS } from "../../../src/accelerator/cost.ts";
import { ACCELERATOR_ENERGY, energyNamed } from "../../../src/accelerator/energy-data.ts";
import { PRECISIONS } from "../../../src/accelerator/energy.ts";
import { type EyerissCost, eyerissCost, storedShare } from "../../../src/accelerator/eyeriss/cost.ts";
import { EYERISS_CHIP, eyerissHardware, withPrecision } from "../../../src/accelerator/eyeriss/hardware.ts";
import { mappingFault } from "../../../src/accelerator/eyeriss/mapping.ts";
import { ALEXNET, type PublishedLayer } from "../../../src/accelerator/eyeriss/published.ts";
import { inputsOf, macsOf, outputsOf, weightsOf } from "../../../src/accelerator/layer.ts";
import { totalsOf } from "../../../src/accelerator/totals.ts";
import { hasCode } from "../../../src/errors.ts";
import { convolution, fullyConnected, smallLayers } from "./layers.ts";

const energy = energyNamed();
const shares = fc.double({ min: 0, max: 1, noNaN: true });
const densities = fc.record({ inputs: shares, weights: shares, outputs: shares });

function totalPj({ energyPj }: EyerissCost): number {
  return ENERGY_PARTS.reduce((sum, part) => sum + energyPj[part], 0);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    for (const code of ["ERR_UNSUPPORTED_LAYER", "ERR_INVALID_OPTION"] as const) if (hasCode(error, code)) return code;
    throw error;
  }
  return "none";
}

describe("the cost of any layer", () => {
  test("gates no more MACs than there are, uses no more elements, and moves at least every word once", () => {
    fc.assert(
      fc.property(smallLayers, densities, (layer, shared) => {
        const cost = eyerissCost(layer, { energy, densities: shared });
        expect(cost.macs).toBe(macsOf(layer));
        expect(cost.gatedMacs).toBeGreaterThanOrEqual(0);
        expect(cost.gatedMacs).toBeLessThanOrEqual(cost.macs);
        expect(cost.utilization).toBeGreaterThan(0);
        expect(cost.utilization).toBeLessThanOrEqual(1);
        expect(cost.activePes).toBeLessThanOrEqual(EYERISS_CHIP.rows * EYERISS_CHIP.columns);
        expect(cost.totalMs).toBeGreaterThanOrEqual(cost.processingMs);
        expect(cost.dramBytes.compressed).toBeLessThanOrEqual(cost.dramBytes.uncompressed);
        const { dram } = cost.traffic;
        expect(dram.weights).toBeGreaterThanOrEqual(weightsOf(layer));
        expect(dram.outputs).toBe(outputsOf(layer));
      }),
    );
  });

  test("fetches every input where strides leave none out", () => {
    fc.assert(
      fc.property(smallLayers, (layer) => {
        fc.pre(layer.stride <= layer.filterHeight);
        expect(eyerissCost(layer, { energy }).traffic.dram.inputs).toBeGreaterThanOrEqual(inputsOf(layer));
      }),
    );
  });

  test("is never less with more non-zeros, by any table", () => {
    const tables = fc.constantFrom(...ACCELERATOR_ENERGY);
    fc.assert(
      fc.property(smallLayers, densities, densities, tables, (layer, a, b, table) => {
        const [low, high] = (["inputs", "weights", "outputs"] as const).reduce(
          ([less, more], key) => [
            { ...less, [key]: Math.min(a[key], b[key]) },
            { ...more, [key]: Math.max(a[key], b[key]) },
          ],
          [a, b],
        );
        const sparse = eyerissCost(layer, { energy: table, densities: low });
        const dense = eyerissCost(layer, { energy: table, densities: high });
        expect(totalPj(dense)).toBeGreaterThanOrEqual(totalPj(sparse));
        expect(dense.totalMs).toBeGreaterThanOrEqual(sparse.totalMs);
        expect(dense.chipMw ?? 0).toBeGreaterThanOrEqual(sparse.chipMw ?? 0);
      }),
    );
  });

  test("dense, takes four register accesses per MAC", () => {
    fc.assert(
      fc.property(smallLayers, (layer) => {
        expect(eyerissCost(layer, { energy }).accesses.registers).toBe(4 * macsOf(layer));
      }),
    );
  });

  test("runs at every precision; only the chip's own has its measured power", () => {
    const layer = convolution({ channels: 8, filters: 8, filter: 3, output: 8 });
    const costs = PRECISIONS.map((precision) => eyerissCost(layer, { energy, precision }));
    expect(costs.map(({ chipMw }) => chipMw !== null)).toEqual([false, false, true, false]);
    const bytes = Object.fromEntries(PRECISIONS.map((each, i) => [each, costs[i]?.dramBytes.uncompressed ?? 0]));
    expect(bytes["fp32"]).toBeGreaterThan(bytes["int16"] ?? 0);
    expect(bytes["int16"]).toBeGreaterThan(bytes["int8"] ?? 0);
    for (const [i, precision] of PRECISIONS.entries()) {
      const mapping = costs[i]?.mapping;
      if (mapping === undefined) throw new Error("no cost");
      expect(mappingFault(layer, mapping, withPrecision(EYERISS_CHIP, precision))).toBeNull();
    }
  });
});

describe("fully connected layers", () => {
  test("run as 1 x 1 convolutions of the flattened input, whatever the size of the map", () => {
    const flat = eyerissCost(fullyConnected(256 * 36, 64, { batch: 4 }), { energy });
    const map = eyerissCost(fullyConnected(256, 64, { batch: 4, size: 6 }), { energy });
    expect(map.cycles).toBe(flat.cycles);
    expect(map.macs).toBe(flat.macs);
    expect(eyerissCost(fullyConnected(8, 4, { size: 20 }), { energy }).macs).toBe(8 * 400 * 4);
  });

  test("take no less time than the link needs for their weights", () => {
    const layer = fullyConnected(4096, 1000);
    const { totalMs } = eyerissCost(layer, { energy });
    // 60 MHz times 8 bytes.
    expect(totalMs).toBeGreaterThanOrEqual((weightsOf(layer) * 2) / 480e3);
  });

  test("fetch each weight once for a batch", () => {
    const layer = fullyConnected(512, 256, { batch: 16 });
    expect(eyerissCost(layer, { energy }).traffic.dram.weights).toBe(weightsOf(layer));
  });
});

test("a layer of a published shape keeps its mapping under another name, with fewer maps in a smaller batch", () => {
  const conv3 = ALEXNET[2] as PublishedLayer;
  const cost = eyerissCost({ ...conv3.shape, name: "mine", batch: 1 }, { energy });
  expect(cost.mappingOrigin).toBe("published");
  expect(cost.mapping).toEqual({ ...conv3.mapping, n: 1 });
  const larger = eyerissHardware({ rows: 24 });
  expect(eyerissCost(conv3.shape, { energy, hardware: larger }).chipMw).toBeNull();
});

test("totals are sums, and frames per second follow from total time", () => {
  const costs = [
    convolution({ batch: 2, channels: 3, filters: 8, filter: 3, output: 8 }),
    fullyConnected(512, 10, { batch: 2 }),
  ].map((layer) => eyerissCost(layer, { energy }));
  const totals = totalsOf(costs, 2);
  expect(totals.macs).toBe(costs.reduce((sum, { macs }) => sum + macs, 0));
  expect(totals.framesPerSecond).toBeCloseTo(2000 / costs.reduce((sum, { totalMs }) => sum + totalMs, 0));
  expect(totals.framesPerJoule).toBeCloseTo(2e12 / costs.reduce((sum, cost) => sum + totalPj(cost), 0));
});

describe("run-length coded maps", () => {
  test("are 4/3 of their non-zero words of 16 bits, and left as they are above 3/4", () => {
    expect(storedShare(0.3, EYERISS_CHIP)).toBeCloseTo(0.4);
    expect(storedShare(0.75, EYERISS_CHIP)).toBe(1);
    expect(storedShare(1, EYERISS_CHIP)).toBe(1);
  });

  test("save on AlexNet's DRAM traffic what Sparseloop's simulation says: 1.24 to 1.94 times over five layers, within 2 %", () => {
    const expected = [1.24, 1.36, 1.7, 1.87, 1.94];
    for (const [i, { shape, densities: shared }] of ALEXNET.entries()) {
      const { dramBytes } = eyerissCost(shape, { energy, densities: shared });
      expect(Math.abs(dramBytes.uncompressed / dramBytes.compressed / (expected[i] ?? 0) - 1)).toBeLessThan(0.02);
    }
  });
});

describe("what is refused", () => {
  const layer = convolution({ channels: 4, filters: 8, filter: 3, output: 8 }, "conv4_2");

  test("a filter with more rows than the array, with the layer and what to do", () => {
    const tall = convolution({ channels: 3, filters: 8, filter: 13, output: 8 }, "stem");
    expect(codeOf(() => eyerissCost(tall, { energy }))).toBe("ERR_UNSUPPORTED_LAYER");
    expect(() => eyerissCost(tall, { energy })).toThrow(
      /stem cannot run on eyeriss: its filter has 13 rows and the array 12; run the layer on the host/,
    );
  });

  test("a filter row that no element's memory holds", () => {
    const hardware = eyerissHardware({ inputSpad: 4 });
    const wide = convolution({ channels: 3, filters: 8, filter: 5, output: 8 }, "wide");
    expect(() => eyerissCost(wide, { energy, hardware })).toThrow(/a row of its filter has 5 words .* holds 4/);
  });

  test("groups of unequal size", () => {
    const uneven = convolution({ channels: 3, filters: 8, groups: 3, filter: 3, output: 8 }, "uneven");
    expect(() => eyerissCost(uneven, { energy })).toThrow(/uneven cannot run .* 8 filters are not 3 equal groups/);
  });

  test("a layer for which the buffer has no room", () => {
    const hardware = eyerissHardware({ bufferBytes: 16 });
    expect(() => eyerissCost(layer, { energy, hardware })).toThrow(/does not fit the buffer of 16 bytes; use a larger/);
  });

  test.each([
    ["m", { m: 6 }, /m = 6 is not a multiple of p t = 4/],
    ["n", { n: 2 }, /n = 2 is more than 1, the batch/],
    ["p", { p: 25, m: 50 }, /p = 25 is more than 24, the words of an element's memory of sums/],
    ["p q S", { p: 24, q: 4, m: 48 }, /p q S = 288 is more than 224/],
    ["q r", { q: 5 }, /q r = 5 is more than 4, the channels/],
    ["r t", { t: 20, m: 40 }, /r t = 20 is more than 4, the sets of 3 x 8 elements in the array/],
    ["e", { e: 0 }, /e = 0 is not a whole number/],
  ])("a mapping that breaks the limit of %s", (_, change, message) => {
    const mapping = { m: 4, n: 1, e: 8, p: 2, q: 2, r: 1, t: 2, f: 8, ...change };
    expect(() => eyerissCost(layer, { energy, mapping })).toThrow(message);
  });

  test("a density that is not a share", () => {
    expect(() => eyerissCost(layer, { energy, densities: { inputs: 1.5, weights: 1, outputs: 1 } })).toThrow(
      /density of conv4_2's inputs: expected 0 to 1, got 1.5/,
    );
    expect(
      codeOf(() => eyerissCost(layer, { energy, densities: { inputs: 1, weights: 1, outputs: Number.NaN } })),
    ).toBe("ERR_INVALID_OPTION");
  });

  test.each([
    [{ rows: 0 }, /rows: expected a whole number/],
    [{ coreMHz: -1 }, /coreMHz: expected more than 0/],
    [{ portBits: 8 }, /portBits: expected at least one word/],
    [{ exposedShare: 2 }, /exposedShare: expected 0 to 1/],
  ])("hardware with %o", (overrides, message) => {
    expect(() => eyerissHardware(overrides)).toThrow(message);
  });
});
