/** Compressed model files: the model is read back with identical weights, and no broken file is taken for one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeModel, encodeModel } from "../../../src/compression/file/encode.ts";
import { readCompressedModel, writeCompressedModel } from "../../../src/compression/file/file.ts";
import { compressLayer, decodeLayer } from "../../../src/compression/layer.ts";
import type { CompressedModel } from "../../../src/compression/model.ts";
import { lookUp, shareWeights } from "../../../src/compression/sharing/share.ts";
import { VdnnError } from "../../../src/errors.ts";
import { type SparseShape, sparseShape, sparseWeights } from "../sparse.ts";

function modelOf(shape: SparseShape, codeBits: number, indexBits?: number): CompressedModel {
  const weights = sparseWeights(shape);
  const layer = { name: "fc1/kernel", shape: [weights.length], weights };
  return {
    name: "small",
    layers: [
      compressLayer(layer, { codeBits, ...(indexBits === undefined ? {} : { indexBits }) }),
      compressLayer({ ...layer, name: "fc2", bias: Float32Array.of(1, 2) }, { codeBits: 4 }),
    ],
    dense: [
      { name: "fc1/bias", shape: [3], values: Float32Array.of(0.5, -0, 1e-30) },
      { name: "bn/moving_variance", shape: [1, 2], values: Float32Array.of(1, 2) },
    ],
    topology: { class_name: "Sequential", config: { name: "größe", layers: [{ units: 3, bias: true, seed: null }] } },
    metadata: { accuracy: { before: 0.98, after: 0.979 } },
  };
}

const SMALL = modelOf({ seed: 3, density: 0.3, length: 20_000 }, 5);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "vdnn-compressed-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a compressed model", () => {
  test.each([true, false])("reads back as it was written, Huffman coding %s", (huffman) => {
    fc.assert(
      fc.property(sparseShape, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), (shape, codes, gaps) => {
        const model = modelOf(shape, codes, gaps);
        expect(decodeModel(encodeModel(model, { huffman }))).toEqual(model);
      }),
      { numRuns: 50 },
    );
  });

  test("decodes to the very bits of the shared weights", () => {
    const weights = sparseWeights({ seed: 1, density: 0.2, length: 5000 });
    const { codebook, codes } = shareWeights(weights, { codeBits: 6 });
    const layer = compressLayer({ name: "fc", shape: [50, 100], weights }, { codeBits: 6 });
    const [read] = decodeModel(encodeModel({ ...SMALL, layers: [layer] })).layers;
    expect(read === undefined ? undefined : new Uint32Array(decodeLayer(read).buffer)).toEqual(
      new Uint32Array(lookUp(codes, codebook).buffer),
    );
  });

  test("is smaller with Huffman coding, and never larger", () => {
    expect(encodeModel(SMALL).length).toBeLessThan(encodeModel(SMALL, { huffman: false }).length);
  });

  test("keeps layers of which nothing is left, and without any weights", () => {
    const model = modelOf({ seed: 1, density: 0, length: 100 }, 4);
    expect(decodeModel(encodeModel(model))).toEqual(model);
    const empty = { name: "none", layers: [], dense: [], topology: null, metadata: {} };
    expect(decodeModel(encodeModel(empty))).toEqual(empty);
  });
});

describe("a compressed model file", () => {
  test("reads back from disk, and leaves nothing else there", async () => {
    const file = path.join(folder, "small.vdnnz");
    expect(await writeCompressedModel(file, SMALL)).toBe((await readFile(file)).length);
    expect(await readCompressedModel(file)).toEqual(SMALL);
    await writeCompressedModel(file, SMALL, { huffman: false });
    expect(await readCompressedModel(file)).toEqual(SMALL);
    expect(await readdir(folder)).toEqual(["small.vdnnz"]);
  });

  test("is refused wherever it is cut off", () => {
    const bytes = encodeModel(SMALL);
    for (let length = 0; length < bytes.length; length += 97) {
      expect(() => decodeModel(bytes.subarray(0, length), "cut.vdnnz")).toThrow("cut.vdnnz: is cut off: expected");
    }
  });

  test("is refused with any one bit changed", () => {
    const bytes = encodeModel(SMALL);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
        const broken = bytes.slice();
        broken[bit >>> 3]! ^= 1 << (bit & 7);
        expect(() => decodeModel(broken)).toThrow(VdnnError);
      }),
    );
  });

  test("says what is wrong: another kind of file, another version, bytes behind the end", () => {
    const bytes = encodeModel(SMALL);
    expect(() => decodeModel(new TextEncoder().encode('{"schema":"x"}'), "a.json")).toThrow(
      "a.json: is not a compressed model",
    );
    const newer = bytes.slice();
    newer[8] = 2;
    expect(() => decodeModel(newer)).toThrow("has version 2 of the format, but this vdnn reads version 1; update vdnn");
    expect(() => decodeModel(Buffer.concat([bytes, Uint8Array.of(0)]))).toThrow("is damaged: its checksum");
  });

  test.each([
    ['"codeBits":5', '"codeBits":9', "codeBits to be a whole number from 1 to 8, got 9"],
    ['"shape":[20000]', '"shape":[1e99]', "shape[0] to be a whole number"],
    ['"encoding":"huffman"', '"encoding":"hoffman"', 'encoding to be "packed" or "huffman", got "hoffman"'],
    ['"vdnn-compressed/1"', '"vdnn-compressed/9"', 'schema to be "vdnn-compressed/1"'],
    ['"shape":[20000]', '"shape":[19000]', "its entries end at weight"],
    ['"topology":{', '"topology":[{', "has a header that is not JSON"],
  ])("with a right checksum but a wrong header is refused: %s as %s", (from, to, message) => {
    expect(() => decodeModel(withHeader(encodeModel(SMALL), (text) => text.replace(from, to)))).toThrow(message);
  });

  test("that does not exist is refused, and none is written for a broken model or to a missing folder", async () => {
    await expect(readCompressedModel(path.join(folder, "none.vdnnz"))).rejects.toThrow(
      /none\.vdnnz: cannot be read: ENOENT/,
    );
    const before = await readdir(folder);
    const broken = { ...SMALL, dense: [{ name: "b", shape: [1], values: Float32Array.of(Number.NaN) }] };
    await expect(writeCompressedModel(path.join(folder, "b.vdnnz"), broken)).rejects.toThrow("found NaN at 0");
    await expect(writeCompressedModel(path.join(folder, "no", "b.vdnnz"), SMALL)).rejects.toThrow("cannot be written");
    expect(await readdir(folder)).toEqual(before);
  });

  test("that was there stays as it was where writing fails", async () => {
    const file = path.join(folder, "kept.vdnnz");
    await writeFile(file, "old");
    const [layer] = SMALL.layers;
    if (layer === undefined) throw new Error("no layer");
    const broken = { ...SMALL, layers: [{ ...layer, codebook: new Float32Array(3) }] };
    await expect(writeCompressedModel(file, broken)).rejects.toThrow("need a codebook of 32 weights, got 3");
    expect(await readFile(file, "utf8")).toBe("old");
  });
});

/** The file with another header, its lengths and checksum made right. */
function withHeader(file: Uint8Array, change: (text: string) => string): Uint8Array {
  const headerBytes = new DataView(file.buffer).getUint32(12, true);
  const text = new TextEncoder().encode(change(new TextDecoder().decode(file.subarray(24, 24 + headerBytes))));
  const changed = new Uint8Array(Buffer.concat([file.subarray(0, 24), text, file.subarray(24 + headerBytes)]));
  const view = new DataView(changed.buffer);
  view.setUint32(12, text.length, true);
  view.setFloat64(16, changed.length, true);
  view.setUint32(changed.length - 4, crc32(changed.subarray(0, -4)), true);
  return changed;
}
