/** EIE's interleaved columns: nothing is lost, rows are dealt out in turn, and fillers are as many as independent weights need. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packBits } from "../../../src/compression/codecs/bits.ts";
import { cscBits, cscEntries, decodeCsc, encodeCsc } from "../../../src/compression/codecs/csc.ts";
import { expectedEntriesPerWeight } from "../../../src/compression/codecs/relative-index.ts";
import { sparseIntegers } from "../sparse.ts";

const matrices = fc.record({
  seed: fc.integer(),
  density: fc.double({ min: 0.01, max: 1, noNaN: true }),
  rows: fc.integer({ min: 1, max: 200 }),
  columns: fc.integer({ min: 1, max: 12 }),
  elements: fc.constantFrom(1, 3, 4, 64),
});

describe("interleaved compressed sparse columns", () => {
  test("lose nothing, and packed have the size of the formula, at densities 0.01 to 1", () => {
    fc.assert(
      fc.property(matrices, ({ seed, density, rows, columns, elements }) => {
        const codes = Uint8Array.from(sparseIntegers({ seed, density, length: rows * columns }, 16));
        const matrix = encodeCsc(codes, { rows, columns, elements });
        expect(decodeCsc(matrix)).toEqual(codes);
        const bytes = matrix.elements.reduce((sum, { pointers, entries }) => {
          const pairs = entries.codes.map((code, i) => code | ((entries.gaps[i] ?? 0) << 4));
          return sum + packBits(pointers, 16).length + pairs.length;
        }, 0);
        const entries = cscEntries(matrix);
        expect(8 * bytes).toBe(cscBits({ columns, elements, entries, codeBits: 4, indexBits: 4 }));
      }),
    );
  });

  test("deal row i to element i mod P, and start indices anew in every column", () => {
    const codes = Uint8Array.of(1, 0, /**/ 0, 2, /**/ 0, 3, /**/ 0, 0, /**/ 4, 5);
    const { elements } = encodeCsc(codes, { rows: 5, columns: 2, elements: 2 });
    expect(elements[0]).toEqual({
      pointers: Uint32Array.of(0, 2, 4),
      entries: { codes: Uint8Array.of(1, 4, 3, 5), gaps: Uint8Array.of(0, 1, 1, 0) },
    });
    expect(elements[1]).toEqual({
      pointers: Uint32Array.of(0, 0, 1),
      entries: { codes: Uint8Array.of(2), gaps: Uint8Array.of(0) },
    });
  });

  test("are the same from a kernel [in, out] of tf.layers, which is the matrix column by column", () => {
    const [rows, columns] = [70, 9];
    const codes = Uint8Array.from(sparseIntegers({ seed: 2, density: 0.2, length: rows * columns }, 16));
    const transposed = codes.map((_, i) => codes[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
    expect(encodeCsc(transposed, { rows, columns, order: "column-major" })).toEqual(
      encodeCsc(codes, { rows, columns }),
    );
  });

  test.each([
    [0.09, 16.2],
    [0.04, 35.9],
  ])(
    "need fillers for independent weights of density %d and 64 rows per element: %d percent of all entries (± 1)",
    (density, percent) => {
      const [rows, columns] = [4096, 128];
      const codes = Uint8Array.from(sparseIntegers({ seed: 11, density, length: rows * columns }, 16));
      const kept = codes.filter((code) => code !== 0).length;
      const entries = cscEntries(encodeCsc(codes, { rows, columns }));
      expect(Math.abs((100 * (entries - kept)) / entries - percent)).toBeLessThan(1);
      expect(entries / kept).toBeCloseTo(expectedEntriesPerWeight(density, 4, 64), 1);
    },
  );

  test("need none where an element has no more than 16 rows", () => {
    const codes = Uint8Array.from(sparseIntegers({ seed: 1, density: 0.05, length: 1000 * 64 }, 16));
    const kept = codes.filter((code) => code !== 0).length;
    expect(cscEntries(encodeCsc(codes, { rows: 1000, columns: 64 }))).toBe(kept);
  });

  test("refuse codes that are not those of the matrix", () => {
    expect(() => encodeCsc(new Uint8Array(5), { rows: 2, columns: 3 })).toThrow("expected 2 × 3 codes, got 5");
  });
});
