/** The authors' flat format, on their own SqueezeNet where it is at hand, and on layers made here. */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { encodeModel } from "../../../src/compression/file/encode.ts";
import { type FlatLayer, readFlat, writeFlat } from "../../../src/compression/flat/flat.ts";
import { SQUEEZENET_LAYERS } from "../../../src/compression/flat/squeezenet.ts";
import { codesOf, compressLayer, decodeLayer, layerOfCodes } from "../../../src/compression/layer.ts";
import { modelSize } from "../../../src/compression/size/account.ts";
import { hasCode } from "../../../src/errors.ts";
import { sparseWeights } from "../sparse.ts";

const SHARED = path.join(import.meta.dirname, "../../../../shared/data/compressed_SqueezeNet.net");

const SHAPES: readonly FlatLayer[] = [
  { name: "conv", shape: [6, 3, 5, 5], codeBits: 8 },
  { name: "fc", shape: [7, 99], codeBits: 4 },
];

const LAYERS = SHAPES.map(({ name, shape, codeBits }, i) => {
  const weights = sparseWeights({ seed: i, density: 0.2, length: shape.reduce((a, b) => a * b) });
  const bias = sparseWeights({ seed: i, density: 1, length: shape[0] ?? 0 });
  return compressLayer({ name, shape, weights, bias }, { codeBits, indexBits: 4 });
});

describe("a flat file", () => {
  test("reads back as it was written, with codes of 8 bits and of 4", () => {
    expect(readFlat(writeFlat(LAYERS), SHAPES)).toEqual(LAYERS);
  });

  test("is refused where it is cut off, too long, or of other layers", () => {
    const bytes = writeFlat(LAYERS);
    for (let length = 0; length < bytes.length; length += 41) {
      expect(() => readFlat(bytes.subarray(0, length), SHAPES, "a.net")).toThrow("a.net: ends within");
    }
    expect(() => readFlat(Buffer.concat([bytes, bytes]), SHAPES)).toThrow("is it this network?");
    let error: unknown;
    try {
      readFlat(bytes, SQUEEZENET_LAYERS);
    } catch (caught) {
      error = caught;
    }
    expect(hasCode(error, "ERR_INVALID_MODEL")).toBe(true);
  });

  test("cannot hold gaps of 5 bits, nor a layer without bias", () => {
    const [layer] = LAYERS;
    if (layer === undefined) throw new Error("no layer");
    expect(() => writeFlat([{ ...layer, indexBits: 5 }])).toThrow("gaps of 4 bits, not of 5");
    expect(() => writeFlat([{ ...layer, bias: null }])).toThrow("needs 6 biases, got 0");
  });
});

describe.skipIf(!existsSync(SHARED))("the authors' compressed SqueezeNet (songhan/SqueezeNet-Deep-Compression)", () => {
  const bytes = existsSync(SHARED) ? readFileSync(SHARED) : new Uint8Array();
  const layers = (): ReturnType<typeof readFlat> => readFlat(bytes, SQUEEZENET_LAYERS);

  test("decoded and encoded again is the same 675,763 bytes, from entries and from dense codes", () => {
    expect(bytes).toHaveLength(675_763);
    expect(Buffer.compare(writeFlat(layers()), bytes)).toBe(0);
    const again = layers().map((layer) => layerOfCodes({ ...layer, codes: codesOf(layer) }, 4));
    expect(Buffer.compare(writeFlat(again), bytes)).toBe(0);
  });

  test("has 422,083 entries, 415,921 of them not zero, of 1,244,448 weights", () => {
    const size = modelSize({ layers: layers() });
    expect(size.layers.reduce((sum, { entries }) => sum + entries, 0)).toBe(422_083);
    expect(size.kept).toBe(415_921);
    expect(size.weights).toBe(1_244_448);
    expect(layers().reduce((sum, layer) => sum + decodeLayer(layer).filter((weight) => weight !== 0).length, 0)).toBe(
      415_921,
    );
  });

  test("takes 3,078,057 + 1,033,442 bits of Huffman codes, 513,937 bytes", () => {
    const { layers: sizes } = modelSize({ layers: layers() });
    const codes = sizes.reduce((sum, { entries, weightBitsHuffman }) => sum + entries * weightBitsHuffman, 0);
    const gaps = sizes.reduce((sum, { entries, indexBitsHuffman }) => sum + entries * indexBitsHuffman, 0);
    expect(Math.round(codes)).toBe(3_078_057);
    expect(Math.round(gaps)).toBe(1_033_442);
    expect(Math.floor((codes + gaps) / 8)).toBe(513_937);
  });

  test("is smaller in vdnn's own format, with names, shapes, tables and biases", () => {
    const model = { name: "squeezenet", layers: layers(), dense: [], topology: null, metadata: {} };
    expect(encodeModel(model).length).toBeLessThan(570_000);
  });
});
