/** What a run costs: MACs, accesses and energies from counts, the paper's power by part, and layers too large for the SRAM. */
import { describe, expect, test } from "vitest";
import type { AcceleratorEnergy } from "../../../src/accelerator/energy.ts";
import { eieCost, shapeOf } from "../../../src/accelerator/eie/cost.ts";
import { chipMwOf, EIE, PE_MW, PE_TOTAL_MW } from "../../../src/accelerator/eie/machine.ts";
import { randomLayer } from "../../../src/accelerator/eie/random-layer.ts";
import { simulate } from "../../../src/accelerator/eie/simulate.ts";
import { storageOf } from "../../../src/accelerator/eie/storage.ts";
import { layerOf, machineOf } from "./matrices.ts";

/** 1 pJ for everything of 16 bits, so that energies are counts. */
const UNIT: AcceleratorEnergy = {
  schema: "vdnn-accelerator-energy/1",
  name: "unit",
  source: "test",
  wordBits: 16,
  accessPj: { dram: 1, buffer: 1, array: 1, registers: 1 },
  multiplyPj: { fp32: 4, fp16: 2, int16: 1, int8: 0.5 },
  addPj: { fp32: 1, fp16: 1, int16: 1, int8: 1, int32: 1 },
  staticMw: 0,
};

describe("eieCost", () => {
  // Row 18 of column 0 takes a filler; column 1 is skipped; the bias has one entry.
  const column = Array.from({ length: 20 }, (_, row) => (row === 18 ? 4 : 0));
  const bias = Array.from({ length: 20 }, (_, row) => (row === 0 ? 4 : 0));
  const layer = layerOf([column, column], 1, bias);
  const machine = machineOf(1);
  const run = simulate(layer, Float32Array.of(1, 0), { machine });
  const cost = eieCost(shapeOf(layer), layer, run, { energy: UNIT, machine });

  test("MACs are done, skipped, or spent on a filler; the bias is none", () => {
    expect(run).toMatchObject({ work: 3, zeroWork: 1, broadcasts: 2 });
    expect(cost.macs).toBe(40);
    expect(cost.gatedMacs).toBe(1);
    // 40 less the one weight and the one filler of column 0.
    expect(cost.skippedMacs).toBe(38);
    expect(cost.utilization).toBeCloseTo(3 / run.cycles, 12);
  });

  test("accesses are words of 16 bits", () => {
    expect(cost.accesses).toEqual({
      dram: 0,
      // One line of 64 bits (three entries), two pointers for each of two columns.
      buffer: 4 + 4,
      // Value and column of two broadcasts.
      array: 4,
      // In and out of the queue, two lines and the bias's one, three sums read and written.
      registers: 8 + 3 + 6,
    });
    expect(cost.energyPj).toEqual({ dram: 0, buffer: 8, array: 4, registers: 17, arithmetic: 6, static: 0 });
  });

  test("precision, word width and static power of the table count", () => {
    const energy = { ...UNIT, wordBits: 32, staticMw: 10 };
    const other = eieCost(shapeOf(layer), layer, run, { energy, machine, precision: "fp32" });
    expect(other.energyPj.buffer).toBe(4);
    expect(other.energyPj.arithmetic).toBe(15);
    // 10 mW for cycles at 800 MHz, 1.25 ns each.
    expect(other.energyPj.static).toBeCloseTo(10 * run.cycles * 1.25, 6);
  });

  test("the published power by part, 9.157 mW an element (table II), makes 586 mW and the paper's energy", () => {
    expect(chipMwOf(EIE)).toBeCloseTo(586, 0);
    expect(Object.values(PE_MW).reduce((sum, mw) => sum + mw, 0)).toBeCloseTo(PE_TOTAL_MW, 2);
    const total = Object.values(cost.publishedPj).reduce((sum, pj) => sum + pj, 0);
    expect(total / (PE_TOTAL_MW * cost.processingMs * 1e6)).toBeCloseTo(1, 3);
  });
});

describe("storage", () => {
  test("a layer that fits needs no DRAM", () => {
    const { layer } = randomLayer({
      name: "small",
      inputs: 256,
      outputs: 128,
      weightDensity: 0.1,
      activationDensity: 0.5,
    });
    expect(storageOf(layer, EIE)).toMatchObject({ fits: true, reasons: [], pointerBytes: 2 * 258 });
  });

  test("one that does not says which memory is too small, and is loaded for every product", () => {
    const small = { name: "wide", inputs: 20_000, outputs: 64, weightDensity: 0.05, activationDensity: 0.1 };
    const { layer, activations } = randomLayer(small);
    const run = simulate(layer, activations);
    const cost = eieCost(shapeOf(layer), layer, run, { energy: UNIT });
    expect(cost.storage.reasons).toEqual([
      expect.stringMatching(/40004 bytes of pointers .* 32768 in its pointer SRAM/),
    ]);
    expect(cost.dramBytes.compressed).toBe(cost.storage.layerBytes);
    expect(cost.dramBytes.uncompressed).toBe(2 * 64 * 20_001);
    expect(cost.totalMs).toBeCloseTo(cost.processingMs + cost.storage.layerBytes / 6.4e6, 9);
    const tiny = { ...EIE, matrixBytes: 16 };
    expect(storageOf(layer, tiny).reasons[0]).toMatch(/bytes of entries per element, 16 in its sparse-matrix SRAM/);
  });
});
