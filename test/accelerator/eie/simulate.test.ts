/** Cycles derived by hand on small layers; products equal to dense ones on drawn layers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { columnsOf, entriesOf, lastRow, rowsOf } from "../../../src/accelerator/eie/layer.ts";
import { EIE } from "../../../src/accelerator/eie/machine.ts";
import {
  addCounts,
  efficiencyOf,
  loadBalanceOf,
  simulate,
  theoreticalCycles,
} from "../../../src/accelerator/eie/simulate.ts";
import { decodeCsc } from "../../../src/compression/codecs/csc.ts";
import { denseProduct, layerOf, machineOf, problems } from "./matrices.ts";

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);

/**
 * One entry on its way, a cycle for each step:
 * 1 line of activations, 2 broadcast, 3 pointers, 4 matrix line, 5 entry, 6 decoded and row known, 7 multiplied, 8 added, 9 written.
 */
const ONE_ENTRY = 9;

describe("cycles", () => {
  test("one entry passes the machine in 9 cycles, each further one of its column adds 1", () => {
    const run = simulate(layerOf([[4]]), ones(1), { machine: machineOf(1) });
    expect(run.cycles).toBe(ONE_ENTRY);
    expect(run.outputs).toEqual(Float32Array.of(1));
    expect(simulate(layerOf([[4, 8, 1]]), ones(1), { machine: machineOf(1) }).cycles).toBe(ONE_ENTRY + 2);
  });

  test("columns follow each other without a gap", () => {
    // Column 1 is sent in cycle 3, while column 0 is looked up; its entry is one behind that of column 0.
    expect(simulate(layerOf([[4], [4]]), ones(2), { machine: machineOf(1) }).cycles).toBe(ONE_ENTRY + 1);
  });

  test("an empty column costs its element a cycle", () => {
    const run = simulate(layerOf([[0], [4]]), ones(2), { machine: machineOf(1) });
    expect(run.cycles).toBe(ONE_ENTRY + 1);
    expect(run.emptyColumns).toBe(1);
    expect(run.work).toBe(1);
  });

  test("an activation of 0 costs nothing within its line, and a line a cycle unless the one before ended in a broadcast", () => {
    const columns = Array.from({ length: 4 }, () => [4, 4]);
    const cycles = (activations: number[]): number =>
      simulate(layerOf(columns, 2), Float32Array.from(activations), { machine: machineOf(2) }).cycles;
    // Two elements, lines of two. Line 0 in cycle 1, broadcasts in 2 and 3, with line 1 in the same cycle, 4 and 5.
    expect(cycles([1, 1, 1, 1])).toBe(ONE_ENTRY + 3);
    // The broadcast of cycle 2 is not the last place: line 1 has cycle 3 to itself, broadcasts are in 2, 4 and 5.
    expect(cycles([1, 0, 1, 1])).toBe(ONE_ENTRY + 3);
    // Broadcasts in 2 and 3.
    expect(cycles([0, 1, 1, 0])).toBe(ONE_ENTRY + 1);
    // Line 0 is read in cycle 1, found to have nothing in 2, where line 1 is read; broadcast in 3.
    expect(cycles([0, 0, 1, 0])).toBe(ONE_ENTRY + 1);
  });

  test("the bias is a line of its own", () => {
    // Line 0 in cycle 1, broadcast in 2, nothing left in 3, where the bias is read; broadcast in 4.
    const run = simulate(
      layerOf(
        [
          [4, 4],
          [4, 4],
        ],
        2,
        [8, 0],
      ),
      Float32Array.of(1, 0),
      { machine: machineOf(2) },
    );
    expect(run.cycles).toBe(ONE_ENTRY + 2);
    expect(run.activationLines).toBe(2);
    expect(run.outputs).toEqual(Float32Array.of(3, 1));
  });

  test("a queue of 2 registers holds one, so that every other cycle waits", () => {
    // Sent in 2, taken in 3; room is seen in 4: sent in 4, taken in 5; sent in 6, taken in 7.
    const layer = layerOf([[4], [4], [4]]);
    const shallow = simulate(layer, ones(3), { machine: machineOf(1, 2) });
    expect(shallow.cycles).toBe(ONE_ENTRY + 4);
    expect(shallow.stalls).toBe(2);
    // A queue that holds two: sent in 2, 3 and 4.
    const deeper = simulate(layer, ones(3), { machine: machineOf(1, 3) });
    expect(deeper.cycles).toBe(ONE_ENTRY + 2);
    expect(deeper.stalls).toBe(0);
  });

  test("a busy element makes all others wait when its queue is full", () => {
    // Element 0 has 4 entries a column, element 1 none. Sent in 2, waits in 3, sent in 4, waits until the second column is taken
    // with the first one's last entry in 7, sent in 8. Entries of element 0 are read in 4 to 15: 12 of them, without a gap.
    const column = [1, 0, 2, 0, 3, 0, 4, 0];
    const run = simulate(layerOf([column, column, column], 2), ones(3), { machine: machineOf(2, 2) });
    expect(run.cycles).toBe(ONE_ENTRY + 11);
    expect(run.loads).toEqual([12, 0]);
    expect(loadBalanceOf(run)).toBe(2);
    expect(theoreticalCycles(run)).toBe(6);
    expect(efficiencyOf(run)).toBeCloseTo(12 / (20 * 2), 12);
  });

  test("a gap over 15 takes a filler, which takes a cycle", () => {
    // Row 18: a filler for rows 0 to 15, then a gap of 2.
    const column = Array.from({ length: 20 }, (_, row) => (row === 18 ? 4 : 0));
    const run = simulate(layerOf([column]), ones(1), { machine: machineOf(1) });
    expect(run.work).toBe(2);
    expect(run.zeroWork).toBe(1);
    expect(run.cycles).toBe(ONE_ENTRY + 1);
    expect(run.outputs.indexOf(1)).toBe(18);
  });

  test("a sum that is needed again at once takes the bypass", () => {
    const run = simulate(layerOf([[4], [8], [12]]), ones(3), { machine: machineOf(1) });
    expect(run.bypasses).toBe(2);
    expect(run.outputs).toEqual(Float32Array.of(6));
  });

  test("a line of 8 entries is read once while it is walked", () => {
    // 4 + 4 entries in line 0, 4 in line 1.
    const run = simulate(
      layerOf([
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 4],
      ]),
      ones(3),
      { machine: machineOf(1) },
    );
    expect(run.matrixLines).toBe(2);
  });

  test("a layer without work ends", () => {
    const run = simulate(
      layerOf(
        [
          [0, 0],
          [0, 0],
        ],
        2,
      ),
      new Float32Array(2),
      { machine: machineOf(2) },
    );
    expect(run.work).toBe(0);
    expect(efficiencyOf(run)).toBe(0);
    expect(loadBalanceOf(run)).toBe(1);
  });
});

describe("values", () => {
  test("equal a dense product in float32 for any sparsity, bias, number of elements and queue", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { layer, activations, machine } = problem;
        const run = simulate(layer, activations, { machine });
        expect(run.outputs).toEqual(denseProduct(problem));
      }),
      { numRuns: 200 },
    );
  });

  test("work is what lies in the columns that were broadcast, and takes at least its theoretical cycles", () => {
    fc.assert(
      fc.property(problems, ({ layer, activations, machine }) => {
        const run = simulate(layer, activations, { machine });
        const sent = [...activations, ...(layer.bias ? [1] : [])].map((value) => value > 0);
        let work = 0;
        for (const { pointers } of layer.pes) {
          sent.forEach((isSent, column) => {
            if (isSent) work += (pointers[column + 1] ?? 0) - (pointers[column] ?? 0);
          });
        }
        expect(run.work).toBe(work);
        expect(run.broadcasts).toBe(sent.filter(Boolean).length);
        expect(run.cycles).toBeGreaterThanOrEqual(Math.max(...run.loads));
        expect(run.matrixLines).toBeLessThanOrEqual(run.work);
      }),
    );
  });

  test("a deeper queue is never slower", () => {
    fc.assert(
      fc.property(problems, ({ layer, activations, machine }) => {
        const cycles = [2, 3, 4, 8, 32].map(
          (fifoRegisters) => simulate(layer, activations, { machine: { ...machine, fifoRegisters } }).cycles,
        );
        expect(cycles).toEqual(cycles.toSorted((a, b) => b - a));
      }),
    );
  });

  test("the layout decodes to the codes it was made of", () => {
    fc.assert(
      fc.property(problems, ({ layer, columns, bias }) => {
        const all = bias === null ? columns : [...columns, bias];
        const codes = decodeCsc({ rows: layer.outputs, columns: columnsOf(layer), indexBits: 4, elements: layer.pes });
        const rows = Array.from({ length: layer.outputs }, (_, row) => all.map((column) => column[row] ?? 0));
        expect(Array.from(codes)).toEqual(rows.flat());
        expect(layer.pes.reduce((sum, _, pe) => sum + rowsOf(layer, pe), 0)).toBe(layer.outputs);
        expect(entriesOf(layer)).toBeGreaterThanOrEqual(codes.filter((code) => code !== 0).length);
      }),
    );
  });

  test("activations below 0 are skipped as by the authors' simulator, and counted, or broadcast on demand", () => {
    const layer = layerOf([[4], [8]]);
    const activations = Float32Array.of(-1, 1);
    const skipped = simulate(layer, activations, { machine: machineOf(1) });
    expect(skipped.outputs).toEqual(Float32Array.of(2));
    expect(skipped.skippedNegatives).toBe(1);
    const sent = simulate(layer, activations, { machine: machineOf(1), negatives: "broadcast" });
    expect(sent.outputs).toEqual(Float32Array.of(1));
    expect(sent.skippedNegatives).toBe(0);
  });

  test("counts of runs add up", () => {
    const run = simulate(layerOf([[4]]), ones(1), { machine: machineOf(1) });
    expect(addCounts(run, run)).toMatchObject({ cycles: 18, work: 2, broadcasts: 2 });
  });
});

describe("bad input", () => {
  const layer = layerOf([[4]]);

  test("a queue of one register is refused, because the layer would never finish", () => {
    const options = { machine: machineOf(1, 1) };
    expect(() => simulate(layer, ones(1), options)).toThrow(/holds 0 activations.*never finish.*give 2 or more/);
    expect(() => simulate(layer, ones(1), options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });

  test("a layer for another number of elements is refused", () => {
    expect(() => simulate(layer, ones(1), { machine: EIE })).toThrow(/stored for 1 processing elements, .* 64/);
  });

  test("activations of the wrong number, and NaN, are refused", () => {
    expect(() => simulate(layer, ones(2), { machine: machineOf(1) })).toThrow(/expected 1 activations, got 2/);
    expect(() => simulate(layer, Float32Array.of(Number.NaN), { machine: machineOf(1) })).toThrow(
      /activation 0 is NaN/,
    );
  });

  test("an entry beyond the outputs, or a code beyond the codebook, is refused", () => {
    const entries = { codes: Uint8Array.of(4), gaps: Uint8Array.of(1) };
    const beyond = { ...layer, pes: [{ pointers: Uint32Array.of(0, 1), entries }] };
    expect(() => simulate(beyond, ones(1), { machine: machineOf(1) })).toThrow(/column 0 reaches row 1, beyond the 1/);
    expect(lastRow(entries.gaps, 0, 1)).toBe(1);
    const short = { ...layer, codebook: Float32Array.of(0, 1) };
    expect(() => simulate(short, ones(1), { machine: machineOf(1) })).toThrow(/code 4, of 2 in the codebook/);
  });

  test.each([
    ["pes", 0],
    ["fifoRegisters", 2.5],
    ["clockMhz", Number.NaN],
    ["codeBits", 9],
  ])("a machine whose %s is %d is refused", (name, value) => {
    const machine = { ...machineOf(1), [name]: value };
    expect(() => simulate(layer, ones(1), { machine })).toThrow(new RegExp(`^${name}: expected`));
  });
});
