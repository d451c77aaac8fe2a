/** Sizes: what the tables of Deep Compression and SqueezeNet print, from percent, bits and shapes; and the account of real layers. */
import { describe, expect, test } from "vitest";
import { compressLayer } from "../../../src/compression/layer.ts";
import { layerSize, modelSize, rates } from "../../../src/compression/size/account.ts";
import { predictLayer, predictNetwork, publishedRows } from "../../../src/compression/size/predict.ts";
import { ALEXNET, LENET_5, PUBLISHED_NETWORKS } from "../../../src/compression/size/published.ts";
import { squeezenetParameters } from "../../../src/compression/size/squeezenet.ts";
import { sparseWeights } from "../sparse.ts";

const MEGABYTE = 1e6;

/** Table 1 of the SqueezeNet paper: parameters, and after pruning. */
const SQUEEZENET = {
  conv1: [14208, 14208],
  fire2: [11920, 5746],
  fire3: [12432, 6258],
  fire4: [45344, 20646],
  fire5: [49440, 24742],
  fire6: [104880, 44700],
  fire7: [111024, 46236],
  fire8: [188992, 77581],
  fire9: [197184, 77581],
  conv10: [513000, 103400],
};

function off(got: number, expected: number): number {
  return Math.abs(got / expected - 1);
}

describe("sizes predicted from kept percent and bits (Han et al., ICLR 2016)", () => {
  test.each(PUBLISHED_NETWORKS)(
    "of $name: with fillers from P+Q, both totals within 3 % of the sum of the published rows",
    (network) => {
      const { shared, huffman } = predictNetwork(network, "fitted").bits;
      const published = publishedRows(network).bits;
      expect(off(shared, published.shared)).toBeLessThan(0.03);
      expect(off(huffman, published.huffman)).toBeLessThan(0.03);
    },
  );

  test("of AlexNet: 27 × and 35 × within 3 %, nothing fitted, where indices start anew in EIE's columns", () => {
    const { dense, shared, huffman } = predictNetwork(ALEXNET, "interleaved").bits;
    expect(off(dense / shared, ALEXNET.ratio.shared)).toBeLessThan(0.03);
    expect(off(dense / huffman, ALEXNET.ratio.huffman)).toBeLessThan(0.03);
    expect(off(huffman / 8 / MEGABYTE, 6.9)).toBeLessThan(0.03);
  });

  test("of LeNet-5: 44 KB and 39 × within 1 %, nothing fitted, in the same layout; its rows add up to 47 KB", () => {
    const { dense, huffman } = predictNetwork(LENET_5, "interleaved").bits;
    expect(off(huffman / 8, LENET_5.compressedBytes)).toBeLessThan(0.01);
    expect(off(dense / huffman, LENET_5.ratio.huffman)).toBeLessThan(0.01);
    expect(publishedRows(LENET_5).bits.huffman / 8 / 1000).toBeCloseTo(47, 0);
  });

  test.each([
    ["fc6", 3.0, 2.39],
    ["fc7", 3.0, 2.46],
  ])("of AlexNet's %s: %d and %d percent, to a fiftieth of them, nothing fitted", (name, shared, huffman) => {
    const layer = ALEXNET.layers.find((candidate) => candidate.name === name);
    if (layer === undefined) throw new Error(`no ${name}`);
    const { bits } = predictLayer(layer, "interleaved");
    expect(off((100 * bits.shared) / bits.dense, shared)).toBeLessThan(0.02);
    expect(off((100 * bits.huffman) / bits.dense, huffman)).toBeLessThan(0.02);
  });

  test("of LeNet-5: within 1.5 % of the sum of its rows, nothing fitted, with independent weights", () => {
    const predicted = predictNetwork(LENET_5, "bernoulli").bits;
    const published = publishedRows(LENET_5).bits;
    expect(off(predicted.shared, published.shared)).toBeLessThan(0.015);
    expect(off(predicted.huffman, published.huffman)).toBeLessThan(0.015);
  });

  test.each(PUBLISHED_NETWORKS)("of $name: every network within 10 % of its rows, nothing fitted", (network) => {
    const predicted = predictNetwork(network, "bernoulli").bits;
    const published = publishedRows(network).bits;
    expect(off(predicted.shared, published.shared)).toBeLessThan(0.1);
    expect(off(predicted.huffman, published.huffman)).toBeLessThan(0.1);
  });

  test("of convolutions: every one within 3 % of its published P+Q+H rate, but for rounding of the percent", () => {
    for (const layer of PUBLISHED_NETWORKS.flatMap(({ layers }) => layers)) {
      if (layer.outputs !== null) continue;
      const { bits } = predictLayer(layer, "bernoulli");
      expect(off((100 * bits.huffman) / bits.dense, layer.ratePercentHuffman), layer.name).toBeLessThan(0.03);
    }
  });
});

describe("SqueezeNet", () => {
  test("has the parameters of its table 1, row by row, before and after pruning", () => {
    const counted = squeezenetParameters();
    expect(Object.fromEntries(counted.map((row) => [row.name, [row.parameters, row.afterPruning]]))).toEqual(
      SQUEEZENET,
    );
    expect(counted.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(1_248_424);
    expect(counted.reduce((sum, { afterPruning }) => sum + afterPruning, 0)).toBe(421_098);
  });

  test("is 50, 363 and 510 times smaller than AlexNet's 240 MB at 4.8, 0.66 and 0.47 MB (table 2)", () => {
    const dense = (32 / 8) * squeezenetParameters().reduce((sum, { parameters }) => sum + parameters, 0);
    // 4.99 MB, which the paper counts as 4.8 of 2^20 bytes.
    expect(dense / 2 ** 20).toBeCloseTo(4.8, 1);
    expect([4.8, 0.66, 0.47].map((size) => Math.floor(240 / size))).toEqual([50, 363, 510]);
  });
});

describe("the account of a layer", () => {
  const layer = compressLayer(
    { name: "fc", shape: [100, 300], weights: sparseWeights({ seed: 2, density: 0.1, length: 30_000 }) },
    { codeBits: 6, indexBits: 5 },
  );

  test("counts codes, gaps and the codebook, as the paper does", () => {
    const size = layerSize(layer);
    expect(size.bits.dense).toBe(32 * 30_000);
    expect(size.bits.shared).toBe(size.entries * 11 + 32 * 64);
    expect(size.bits.huffman).toBeCloseTo(size.entries * (size.weightBitsHuffman + size.indexBitsHuffman) + 32 * 64, 6);
    expect(size.weightBitsHuffman).toBeLessThanOrEqual(6);
    expect(size.kept).toBeLessThanOrEqual(size.entries);
  });

  test("adds up to that of a model", () => {
    const total = modelSize({ layers: [layer, layer] });
    expect(total.bits.huffman).toBe(2 * layerSize(layer).bits.huffman);
    expect(rates(total)).toEqual(rates(layerSize(layer)));
  });

  test("is nothing but the codebook where no weight is left", () => {
    const none = compressLayer({ name: "fc", shape: [10], weights: new Float32Array(10) }, { codeBits: 4 });
    expect(layerSize(none)).toMatchObject({ kept: 0, entries: 0, weightBitsHuffman: 0, bits: { huffman: 512 } });
  });
});
