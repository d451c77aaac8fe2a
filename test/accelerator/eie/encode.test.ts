/** Layers out of compressed tensors, and convolutions as products. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convolve } from "../../../src/accelerator/eie/convolution.ts";
import { encodeLayer, fromCompressed, nearestCodes } from "../../../src/accelerator/eie/encode.ts";
import { randomLayer } from "../../../src/accelerator/eie/random-layer.ts";
import { simulate } from "../../../src/accelerator/eie/simulate.ts";
import type { LayerShape } from "../../../src/accelerator/layer.ts";
import { encodeRelative } from "../../../src/compression/codecs/relative-index.ts";
import type { CompressedLayer } from "../../../src/compression/model.ts";
import { CODEBOOK, layerOf, machineOf } from "./matrices.ts";

function compressed(shape: readonly number[], codes: readonly number[], codebook = CODEBOOK): CompressedLayer {
  const entries = encodeRelative(Uint8Array.from(codes), 4);
  return { name: "fc", shape, codeBits: 4, indexBits: 4, codebook, entries, bias: Float32Array.of(0.6, -1, 0) };
}

describe("fromCompressed", () => {
  // Two inputs, three outputs.
  const layer = compressed([2, 3], [4, 0, 8, 0, 12, 0]);
  const machine = machineOf(2);

  test("a kernel [in, out] becomes its matrix; the bias is left to the caller", () => {
    const matrix = fromCompressed(layer, { machine });
    expect(matrix).toMatchObject({ inputs: 2, outputs: 3, bias: false });
    expect(simulate(matrix, Float32Array.of(1, 2), { machine }).outputs).toEqual(Float32Array.of(1, 6, 2));
  });

  test("on demand the bias is a column of the nearest shared weights, as on the chip", () => {
    expect(Array.from(nearestCodes(Float32Array.of(0.6, -1, 3.7), CODEBOOK))).toEqual([2, 0, 15]);
    const matrix = fromCompressed(layer, { machine, bias: "column" });
    expect(simulate(matrix, Float32Array.of(1, 2), { machine }).outputs).toEqual(Float32Array.of(1.5, 6, 2));
  });

  test("codes of more bits than the machine's are refused, wide codebooks whose codes fit are not", () => {
    const wide = Float32Array.from({ length: 32 }, (_, code) => code);
    expect(() => fromCompressed(compressed([2, 3], [31, 0, 0, 0, 0, 0], wide), { machine })).toThrow(
      /uses code 31, the machine's codes have 4 bits; share with at most 4 bits/,
    );
    expect(fromCompressed(compressed([2, 3], [15, 0, 0, 0, 0, 0], wide), { machine }).codebook).toHaveLength(16);
  });

  test("shapes that are no matrix, codebooks without 0, and wrong sizes are refused", () => {
    expect(() => fromCompressed(compressed([6], [1, 0, 0, 0, 0, 0]), { machine })).toThrow(/expected a matrix/);
    const matrix = {
      name: "fc",
      inputs: 1,
      outputs: 2,
      codes: Uint8Array.of(1, 1),
      biasCodes: null,
      codebook: CODEBOOK,
    };
    expect(() => encodeLayer({ ...matrix, codebook: Float32Array.of(1, 2) }, machine)).toThrow(/code 0 means 1/);
    expect(() => encodeLayer({ ...matrix, codebook: new Float32Array(17) }, machine)).toThrow(/17 weights .* 4-bit/);
    expect(() => encodeLayer({ ...matrix, inputs: 2 }, machine)).toThrow(/expected 2 × 2 codes, got 2/);
    expect(() => encodeLayer({ ...matrix, biasCodes: Uint8Array.of(1) }, machine)).toThrow(
      /expected 2 codes of the bias/,
    );
    expect(() => encodeLayer({ ...matrix, codes: Uint8Array.of(1, 16) }, machine)).toThrow(/code 1 is 16, of 16/);
  });
});

describe("convolve", () => {
  const shape: LayerShape = {
    name: "conv",
    kind: "convolution",
    batch: 2,
    channels: 2,
    filters: 4,
    groups: 2,
    inputHeight: 5,
    inputWidth: 4,
    filterHeight: 3,
    filterWidth: 2,
    outputHeight: 2,
    outputWidth: 2,
    stride: 2,
    bias: false,
  };
  const machine = machineOf(2);

  test("equals the sum over the filter at every position and group", () => {
    const code = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 15 }));
    // Whole numbers and quarters: sums are exact in any order.
    const input = fc.array(fc.nat({ max: 3 }), { minLength: 160, maxLength: 160 });
    const kernels = fc.array(fc.array(code, { minLength: 24, maxLength: 24 }), { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(input, kernels, (values, codes) => {
        const layers = codes.map((kernel) =>
          layerOf(
            Array.from({ length: 12 }, (_, i) => kernel.slice(2 * i, 2 * i + 2)),
            2,
          ),
        );
        const run = convolve(shape, layers, Float32Array.from(values), { machine });
        const expected: number[] = [];
        for (let position = 0; position < 8; position++) {
          const [map, top, left] = [position >> 2, 2 * ((position >> 1) & 1), 2 * (position & 1)];
          for (let filter = 0; filter < 4; filter++) {
            const group = filter >> 1;
            let sum = 0;
            for (let i = 0; i < 12; i++) {
              const [y, x, channel] = [top + Math.floor(i / 4), left + ((i >> 1) & 1), 2 * group + (i & 1)];
              const value = values[((map * 5 + y) * 4 + x) * 4 + channel] ?? 0;
              sum += value * (CODEBOOK[codes[group]?.[2 * i + (filter & 1)] ?? 0] ?? 0);
            }
            expected.push(sum);
          }
        }
        expect(run.kind === "simulated" ? Array.from(run.outputs) : []).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  test("says that it is too large rather than run for minutes", () => {
    const layers = [0, 1].map(() =>
      layerOf(
        Array.from({ length: 12 }, () => [1, 2]),
        2,
      ),
    );
    const run = convolve(shape, layers, new Float32Array(160), { machine, maxWork: 100 });
    expect(run).toMatchObject({ kind: "unsupported", reason: expect.stringContaining("8 matrix-vector products") });
  });

  test("sizes that do not belong together are refused", () => {
    const layers = [0, 1].map(() =>
      layerOf(
        Array.from({ length: 12 }, () => [1, 2]),
        2,
      ),
    );
    expect(() => convolve(shape, layers, new Float32Array(1), { machine })).toThrow(/expected 160 inputs, got 1/);
    expect(() => convolve(shape, layers.slice(1), new Float32Array(160), { machine })).toThrow(/expected 2 groups/);
    const wrong = [layerOf([[1]], 2), layerOf([[1]], 2)];
    expect(() => convolve(shape, wrong, new Float32Array(160), { machine })).toThrow(/expected a matrix of 12 × 2/);
  });
});

describe("randomLayer", () => {
  const options = { name: "random", inputs: 1000, outputs: 640, weightDensity: 0.1, activationDensity: 0.3 };

  test("has the densities that were asked for, a dense bias, and is the same for the same seed", () => {
    const { layer, activations } = randomLayer(options);
    expect(activations.filter((value) => value > 0)).toHaveLength(300);
    const weights = layer.pes.flatMap(({ pointers, entries }) => Array.from(entries.codes.subarray(0, pointers[1000])));
    expect(weights.filter((code) => code !== 0).length / 640_000).toBeCloseTo(0.1, 2);
    const bias = layer.pes.reduce((sum, { pointers }) => sum + (pointers[1001] ?? 0) - (pointers[1000] ?? 0), 0);
    expect(bias).toBe(640);
    expect(randomLayer(options)).toEqual(randomLayer(options));
    expect(randomLayer({ ...options, seed: 2 }).activations).not.toEqual(activations);
  });

  test.each([0, -1, 1.5, Number.NaN])("a density of %d is refused", (weightDensity) => {
    expect(() => randomLayer({ ...options, weightDensity })).toThrow(/expected densities above 0 and up to 1/);
  });
});
