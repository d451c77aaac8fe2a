/** Data sets in arrays: what is refused, orders, parts and batches. */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { batches, batchOf, checkImages, type LabeledImages, shuffledOrder, slice } from "../../src/data/images.ts";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const TWO: LabeledImages = {
  count: 3,
  height: 1,
  width: 2,
  classes: 4,
  pixels: Uint8Array.from([0, 255, 51, 102, 255, 255]),
  labels: Uint8Array.from([3, 0, 1]),
};

describe("a data set", () => {
  test.each([
    [{ count: 0, pixels: new Uint8Array(), labels: new Uint8Array() }, "set: expected at least one image, got none"],
    [{ labels: Uint8Array.from([1, 2]) }, "set: expected one label for each of 3 images, got 2 labels"],
    [{ pixels: new Uint8Array(5) }, "set: expected 3 images of 1x2, 6 pixels, got 5"],
    [{ classes: 3 }, "set: expected labels from 0 to 2, got 3 for image 0"],
  ])("is refused with %o", (change, message) => {
    expect(() => checkImages({ ...TWO, ...change }, "set")).toThrow(message);
  });

  test("can be cut in parts over the same memory", () => {
    const part = slice(TWO, 1, 9);
    expect([part.count, [...part.labels], [...part.pixels]]).toEqual([2, [0, 1], [51, 102, 255, 255]]);
    expect(part.pixels.buffer).toBe(TWO.pixels.buffer);
  });

  test("becomes tensors in any order: grey values from 0 to 1, labels one-hot", () => {
    const { xs, ys } = batchOf(tf, TWO, Uint32Array.from([1, 0]));
    expect(xs.shape).toEqual([2, 1, 2, 1]);
    expect([...xs.dataSync()]).toEqual([0.2, 0.4, 0, 1].map(Math.fround));
    expect([...ys.dataSync()]).toEqual([1, 0, 0, 0, 0, 0, 0, 1]);
    tf.dispose([xs, ys]);
  });

  test("is shown whole and once in every order, batch by batch", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer(),
        fc.integer({ min: 1, max: 50 }),
        (count, seed, size) => {
          const order = shuffledOrder(count, seed);
          expect(shuffledOrder(count, seed)).toEqual(order);
          const parts = [...batches(order, size)];
          expect(parts.slice(0, -1).every(({ length }) => length === size)).toBe(true);
          expect(parts.flatMap((part) => [...part]).toSorted((a, b) => a - b)).toEqual([...order.keys()]);
        },
      ),
    );
  });
});
