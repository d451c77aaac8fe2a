/** The search for mappings: always legal, and nothing that is legal is better. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EYERISS_CHIP, eyerissHardware } from "../../../src/accelerator/eyeriss/hardware.ts";
import { type Mapping, mappingFault } from "../../../src/accelerator/eyeriss/mapping.ts";
import { ALEXNET, VGG16 } from "../../../src/accelerator/eyeriss/published.ts";
import { isBetter, isSameTime, scoreOf } from "../../../src/accelerator/eyeriss/score.ts";
import { balanced, bestMapping } from "../../../src/accelerator/eyeriss/search.ts";
import type { LayerShape } from "../../../src/accelerator/layer.ts";
import { convolution, smallLayers } from "./layers.ts";

/** Small memories, so that every limit binds somewhere. */
const small = eyerissHardware({ rows: 7, columns: 5, bufferBytes: 3000, filterSpad: 40, inputSpad: 9, sumSpad: 6 });
const machines = fc.constantFrom(EYERISS_CHIP, small);

/** Any letters; most break a limit. */
function mappingsOf(layer: LayerShape, wholeRows: boolean): fc.Arbitrary<Mapping> {
  const upTo = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: Math.max(1, most) });
  return fc
    .record({
      blocks: upTo(4),
      n: upTo(layer.batch),
      e: upTo(layer.outputHeight),
      p: upTo(Math.min(24, layer.filters)),
      q: upTo(Math.min(12, layer.channels)),
      r: upTo(4),
      t: upTo(6),
      f: wholeRows ? fc.constant(layer.outputWidth) : upTo(layer.outputWidth),
    })
    .map(({ blocks, ...letters }) => ({ ...letters, m: letters.p * letters.t * blocks }));
}

describe("bestMapping", () => {
  test("is legal on any layer that has one, on any machine", () => {
    fc.assert(
      fc.property(smallLayers, machines, fc.boolean(), (layer, hardware, columnStrips) => {
        const mapping = bestMapping(layer, hardware, { columnStrips });
        if (mapping !== null) expect(mappingFault(layer, mapping, hardware)).toBeNull();
        else expect(hardware).toBe(small);
      }),
      { numRuns: 300 },
    );
  });

  test("no legal mapping out of many random ones is better", () => {
    const cases = fc.tuple(smallLayers, machines, fc.boolean()).chain(([layer, hardware, columnStrips]) =>
      fc.record({
        layer: fc.constant(layer),
        hardware: fc.constant(hardware),
        columnStrips: fc.constant(columnStrips),
        mappings: fc.array(mappingsOf(layer, !columnStrips), { minLength: 60, maxLength: 60 }),
      }),
    );
    let legal = 0;
    fc.assert(
      fc.property(cases, ({ layer, hardware, columnStrips, mappings }) => {
        const best = bestMapping(layer, hardware, { columnStrips });
        if (best === null) return;
        const score = scoreOf(layer, best, hardware);
        for (const mapping of mappings) {
          if (mappingFault(layer, mapping, hardware) !== null) continue;
          legal += 1;
          const other = scoreOf(layer, mapping, hardware);
          if (isSameTime(other.ms, score.ms) && other.dramWords === score.dramWords) {
            expect(other.energy).toBeGreaterThanOrEqual(score.energy * (1 - 1e-9));
          } else expect(isBetter(other, score)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
    expect(legal).toBeGreaterThan(1000);
  });

  test("is at least as fast as the published and inferred mappings, which are legal", () => {
    for (const { shape, mapping } of [...ALEXNET, ...VGG16]) {
      expect(mappingFault(shape, mapping, EYERISS_CHIP)).toBeNull();
      const best = bestMapping(shape, EYERISS_CHIP);
      if (best === null) throw new Error(`${shape.name} has no mapping`);
      expect(isBetter(scoreOf(shape, mapping, EYERISS_CHIP), scoreOf(shape, best, EYERISS_CHIP))).toBe(false);
    }
  });

  test("finds AlexNet CONV1's published mapping again (JSSC 2017, table III)", () => {
    const [conv1] = ALEXNET;
    if (conv1 === undefined) throw new Error("no CONV1");
    expect(bestMapping(conv1.shape, EYERISS_CHIP)).toEqual(conv1.mapping);
  });

  test("cuts columns where a row of a map does not fit the buffer", () => {
    const wide = convolution({ channels: 3, filters: 8, filter: 3, output: 4, width: 60_000 });
    const mapping = bestMapping(wide, EYERISS_CHIP);
    expect(mapping?.f).toBeLessThan(60_000);
    expect(mapping === null ? "none" : mappingFault(wide, mapping, EYERISS_CHIP)).toBeNull();
  });

  test("has none for a filter larger than the array", () => {
    expect(bestMapping(convolution({ channels: 3, filters: 8, filter: 13, output: 4 }), EYERISS_CHIP)).toBeNull();
  });
});

test("balanced sizes are those of evenly cut lengths, each once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (length, most) => {
      const all = Array.from({ length }, (_, k) => Math.ceil(length / (k + 1))).filter((size) => size <= most);
      expect(balanced(length, most)).toEqual([...new Set(all)]);
    }),
  );
});
