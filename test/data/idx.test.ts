/** IDX files, MNIST's format: what was written is read, zipped or not, and what is wrong is named. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labeledImages, parseIdx, readIdx, readMnist } from "../../src/data/idx.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vdnn-idx-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** An IDX file by the book. */
function idx(shape: readonly number[], values: ArrayLike<number>, type = 0x08): Uint8Array {
  const file = new Uint8Array(4 + 4 * shape.length + values.length);
  file.set([0, 0, type, shape.length]);
  for (const [i, side] of shape.entries()) new DataView(file.buffer).setUint32(4 + 4 * i, side);
  file.set(Array.from(values), 4 + 4 * shape.length);
  return file;
}

const IMAGES = idx([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const LABELS = idx([2], [9, 0]);

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

describe("an IDX file", () => {
  test("gives shape and values back, zipped or not", () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });
    const arrays = shapes.chain((shape) => {
      const length = shape.reduce((size, side) => size * side, 1);
      return fc.tuple(fc.constant(shape), fc.uint8Array({ minLength: length, maxLength: length }));
    });
    fc.assert(
      fc.property(arrays, fc.boolean(), ([shape, values], zipped) => {
        const file = idx(shape, values);
        const read = parseIdx(zipped ? gzipSync(file) : file, "made.idx");
        expect(read.shape).toEqual(shape);
        expect([...read.values]).toEqual([...values]);
      }),
    );
  });

  test("that is cut off anywhere is refused", () => {
    for (let length = 0; length < IMAGES.length; length++) {
      expect(() => parseIdx(IMAGES.subarray(0, length), "cut.idx")).toThrow(
        expect.objectContaining({ name: "VdnnError", code: "ERR_INVALID_DATA" }),
      );
    }
    const zipped = gzipSync(IMAGES);
    for (let length = 2; length < zipped.length; length++) {
      expect(() => parseIdx(zipped.subarray(0, length), "cut.idx")).toThrow(/whole gzip file/);
    }
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["another kind of file", Buffer.from("PK\u0003\u0004"), /begins with 0000, a type and a rank, got 504b0304/],
    ["an empty file", new Uint8Array(), /got an empty file/],
    ["floats", idx([1], [0, 0, 0, 0], 0x0d), /type 08, unsigned bytes, got 0x0d/],
    ["too few values", IMAGES.subarray(0, -1), /expected 24 bytes, got 23: the file is truncated/],
    ["half a header", IMAGES.subarray(0, 9), /expected 16 bytes, got 9: the file is truncated/],
    ["too many values", Uint8Array.from([...IMAGES, 1]), /expected 24 bytes for 2x2x2, got 25: bytes are left over/],
  ])("with %s is refused", (_, file, message) => {
    expect(() => parseIdx(file, "wrong.idx")).toThrow(message);
    expect(() => parseIdx(file, "wrong.idx")).toThrow(/^wrong\.idx: /);
  });
});

describe("a pair of IDX files", () => {
  test("is a data set", async () => {
    const [images, labels] = [await put("images", IMAGES), await put("labels.gz", gzipSync(LABELS))];
    const set = await readIdx(images, labels);
    expect(set).toMatchObject({ count: 2, height: 2, width: 2, classes: 10 });
    expect([...set.pixels, ...set.labels]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
  });

  test.each<[string, Uint8Array, Uint8Array, RegExp]>([
    ["more labels than images", IMAGES, idx([3], [1, 2, 3]), /one label for each of 2 images, got 3 labels/],
    ["a label out of range", IMAGES, idx([2], [1, 10]), /labels from 0 to 9, got 10 for image 1/],
    ["no images", idx([0, 28, 28], []), idx([0], []), /at least one image, got none/],
    ["the files swapped", IMAGES, IMAGES, /labels of one dimension, got 2x2x2; are the files swapped/],
    ["colour images", idx([1, 1, 1, 1], [0]), idx([1], [0]), /images of three dimensions, got 1x1x1x1/],
  ])("with %s is refused", (_, images, labels, message) => {
    expect(() => labeledImages(parseIdx(images, "i"), parseIdx(labels, "l"), "pair")).toThrow(message);
  });

  test("that is not there is refused with the name that was looked for", async () => {
    await expect(readIdx(path.join(folder, "none"), path.join(folder, "none"))).rejects.toThrow(
      /none: cannot be read \(ENOENT\)/,
    );
    await expect(readIdx(folder, folder)).rejects.toThrow(/cannot be read \(EISDIR\)/);
  });
});

test("MNIST's folder is read by its own file names, zipped as it comes", async () => {
  await expect(readMnist(folder)).rejects.toThrow(/train-(images|labels)-idx.-ubyte: cannot be read/);
  for (const part of ["train", "t10k"]) {
    await put(`${part}-images-idx3-ubyte.gz`, gzipSync(IMAGES));
    await put(`${part}-labels-idx1-ubyte`, LABELS);
  }
  const { train, test: kept } = await readMnist(folder);
  expect([train.count, kept.count]).toEqual([2, 2]);
  await put("t10k-images-idx3-ubyte", idx([2, 1, 2], [1, 2, 3, 4]));
  await expect(readMnist(folder)).rejects.toThrow(/images of one size, got 2x2 to train on and 1x2 to test on/);
});
