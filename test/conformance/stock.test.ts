/**
 * The control of the conformance suite, on stock TensorFlow.js: every case trains to the same bits twice in one process, its
 * weights really move, and it leaves no tensor behind. Runs the tiny cases on the reference backend.
 */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { cases, differences, whyUnsupported } from "./cases.ts";

const STEPS = 5;
const BACKEND = "cpu";

beforeAll(async () => {
  await tf.setBackend(BACKEND);
  await tf.ready();
});

describe("the list of cases", () => {
  test("has no name twice", () => {
    const names = cases.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe("stock TensorFlow.js", () => {
  for (const conformanceCase of cases) {
    const { name, cost, train } = conformanceCase;
    const skip = cost !== "tiny" || whyUnsupported(conformanceCase, BACKEND) !== undefined;
    test.skipIf(skip)(`${name}: the same bits twice, and no tensor is left`, async () => {
      const random = Math.random;
      const before = tf.memory().numTensors;
      const first = await train(tf, STEPS);
      expect(tf.memory().numTensors).toBe(before);
      const second = await train(tf, STEPS);
      expect(tf.memory().numTensors).toBe(before);
      expect(Math.random).toBe(random);

      expect(differences(first, second)).toEqual([]);
      expect(first.losses.length).toBeGreaterThanOrEqual(STEPS - 2);
      expect(first.losses.filter((loss) => !Number.isFinite(loss))).toEqual([]);
      // Fewer steps must end elsewhere: a case that trains nothing would agree with anything.
      expect(differences(first, await train(tf, 1)).length).toBeGreaterThan(0);
    });
  }
});
