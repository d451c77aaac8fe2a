/** Drawn digits: the same from the same seed, apart from each other, and no picture puzzle that a template solves. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawnDigits } from "../../src/data/digits.ts";
import { checkImages, type LabeledImages } from "../../src/data/images.ts";
import { VdnnError } from "../../src/errors.ts";

const SMALL = { trainCount: 40, testCount: 20 };

/** Every image as text. */
function pictures({ count, height, width, pixels }: LabeledImages): string[] {
  const size = height * width;
  return Array.from({ length: count }, (_, i) => pixels.subarray(i * size, (i + 1) * size).join());
}

/** Share of `test` whose nearest mean image, over the classes of `train`, is that of its class. */
function templateAccuracy(train: LabeledImages, images: LabeledImages): number {
  const size = train.height * train.width;
  const means = Array.from({ length: train.classes }, () => new Float64Array(size));
  const counts = new Float64Array(train.classes);
  for (const [i, label] of train.labels.entries()) {
    counts[label]! += 1;
    for (let p = 0; p < size; p++) means[label]![p]! += train.pixels[i * size + p]!;
  }
  for (const [label, mean] of means.entries()) for (let p = 0; p < size; p++) mean[p]! /= counts[label]!;
  const distance = (i: number, label: number): number => {
    let sum = 0;
    for (let p = 0; p < size; p++) sum += (images.pixels[i * size + p]! - means[label]![p]!) ** 2;
    return sum;
  };
  let right = 0;
  for (const [i, label] of images.labels.entries()) {
    const distances = means.map((_, each) => distance(i, each));
    if (distances.indexOf(Math.min(...distances)) === label) right++;
  }
  return right / images.count;
}

describe("drawn digits", () => {
  test("are the same bytes from the same seed, and others from another", () => {
    const first = drawnDigits({ ...SMALL, seed: 3 });
    expect(drawnDigits({ ...SMALL, seed: 3 })).toEqual(first);
    expect(drawnDigits({ ...SMALL, seed: 4 }).train.pixels).not.toEqual(first.train.pixels);
  });

  test("make sets that pass the check of every data set, whatever the seed, the size and the difficulty", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (...made) => {
          const [seed, imageSize, difficulty] = made;
          const { train, test: kept } = drawnDigits({ trainCount: 5, testCount: 3, seed, imageSize, difficulty });
          for (const images of [train, kept]) expect(() => checkImages(images, "digits")).not.toThrow();
          expect([train.count, kept.count]).toEqual([5, 3]);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("are never drawn twice: no two images are equal, within a set or between the two", () => {
    const { train, test: kept } = drawnDigits({ trainCount: 400, testCount: 400 });
    expect(new Set([...pictures(train), ...pictures(kept)]).size).toBe(800);
  });

  test("show each digit about as often", () => {
    const { train } = drawnDigits({ trainCount: 2000, testCount: 1 });
    for (let digit = 0; digit < 10; digit++) {
      const share = train.labels.filter((label) => label === digit).length / train.count;
      expect(share).toBeGreaterThan(0.07);
      expect(share).toBeLessThan(0.13);
    }
  });

  test("at difficulty 0 are clean: black paper, and every form of a digit looks alike but for its pen", () => {
    const { train } = drawnDigits({ ...SMALL, difficulty: 0 });
    // Shift, turn and grain are off, so the image's corners hold no ink.
    for (const picture of pictures(train)) expect(picture.startsWith("0,0,0,0")).toBe(true);
  });

  test("are told apart by nearest templates when clean, and by far not when distorted", () => {
    const clean = drawnDigits({ trainCount: 500, testCount: 300, difficulty: 0 });
    const hard = drawnDigits({ trainCount: 500, testCount: 300 });
    expect(templateAccuracy(clean.train, clean.test)).toBeGreaterThan(0.95);
    const distorted = templateAccuracy(hard.train, hard.test);
    expect(distorted).toBeGreaterThan(0.3);
    expect(distorted).toBeLessThan(0.85);
  });

  test.each([
    [{ trainCount: 0 }, /trainCount to be a whole number of at least 1, got 0/],
    [{ testCount: 1.5 }, /testCount/],
    [{ imageSize: -28 }, /imageSize/],
    [{ seed: 0.5 }, /seed to be an integer/],
    [{ difficulty: Number.NaN }, /difficulty to be a number from 0 to 2, got NaN/],
  ])("refuse %o", (options, message) => {
    expect(() => drawnDigits(options)).toThrow(VdnnError);
    expect(() => drawnDigits(options)).toThrow(message);
  });
});
