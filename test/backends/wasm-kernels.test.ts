/**
 * The training kernels of the wasm backend against the cpu backend, which is slow and written independently: same gradients
 * within float rounding, over random shapes, and no buffer left behind.
 */
import type { Rank, Tensor } from "@tensorflow/tfjs";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { registerWasmTrainingKernels, type WasmKernels } from "../../src/backends/wasm-kernels.ts";
import { engineOf, type TensorFlow } from "../../src/runtime/engine.ts";

/** Largest difference, relative to the largest value of the reference: sums of different order differ by that much. */
const TOLERANCE = 2e-5;

let tf: TensorFlow;
let fast: WasmKernels;
let worst = 0;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
  fast = registerWasmTrainingKernels(tf, { fastInputGradient: true });
});

afterAll(() => {
  fast.unregister();
});

type Explicit = [[number, number], [number, number], [number, number], [number, number]];

interface Case {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  /** Output channels, or for depthwise convolutions the channel multiplier. */
  readonly outChannels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strides: [number, number];
  readonly pad: "same" | "valid" | Explicit;
}

const small = (max: number) => fc.integer({ min: 1, max });
const cases: fc.Arbitrary<Case> = fc
  .record({
    batch: small(3),
    height: fc.integer({ min: 4, max: 9 }),
    width: fc.integer({ min: 4, max: 9 }),
    inChannels: small(5),
    outChannels: small(4),
    filterHeight: small(4),
    filterWidth: small(4),
    strides: fc.tuple(small(3), small(3)),
    kind: fc.constantFrom("same" as const, "valid" as const, "explicit" as const),
    paddings: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4), fc.nat(4)),
  })
  .map(({ kind, paddings: [top, bottom, left, right], ...one }) =>
    Object.assign(one, {
      pad:
        kind === "explicit"
          ? ([
              [0, 0],
              [top, bottom],
              [left, right],
              [0, 0],
            ] as Explicit)
          : kind,
    }),
  );

/** Runs `compute` on both backends; checks that they agree and that wasm freed everything but the results. */
async function expectSame(compute: () => Tensor | Tensor[]): Promise<void> {
  const results: Float32Array[][] = [];
  for (const backend of ["cpu", "wasm"]) {
    await tf.setBackend(backend);
    const { state } = engineOf(tf) as unknown as { state: { numDataBuffers: number } };
    const buffers = (engineOf(tf).backend as { numDataIds(): number }).numDataIds();
    const tracked = state.numDataBuffers;
    const tensors = [tf.tidy(compute)].flat();
    expect(state.numDataBuffers - tracked, `engine buffers on ${backend}`).toBe(tensors.length);
    expect(engineOf(tf).backend.numDataIds() - buffers, `buffers of ${backend}`).toBe(tensors.length);
    results.push(tensors.map((tensor) => tensor.dataSync<"float32">().slice()));
    tf.dispose(tensors);
  }
  const [reference = [], actual = []] = results;
  expect(actual.length).toBe(reference.length);
  for (const [index, expected] of reference.entries()) {
    const error = relativeError(actual[index] ?? new Float32Array(), expected);
    worst = Math.max(worst, error);
    expect(error).toBeLessThan(TOLERANCE);
  }
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let scale = 1e-6;
  let difference = 0;
  for (let at = 0; at < expected.length; at++) {
    scale = Math.max(scale, Math.abs(expected[at] ?? 0));
    difference = Math.max(difference, Math.abs((actual[at] ?? Number.NaN) - (expected[at] ?? 0)));
  }
  return difference / scale;
}

/** Gradients of `f` weighted with noise, so that every output element counts differently. */
function gradients(f: (...inputs: Tensor[]) => Tensor, shapes: number[][], seed = 1): () => Tensor[] {
  return () => {
    const inputs = shapes.map((shape, index) => tf.randomNormal<Rank>(shape, 0, 1, "float32", seed + index));
    const weights = tf.tidy(() => tf.randomNormal(f(...inputs).shape, 0, 1, "float32", seed + 100));
    return tf.grads((...xs: Tensor[]) =>
      f(...xs)
        .mul(weights)
        .sum(),
    )(inputs);
  };
}

describe("kernels for training on wasm", () => {
  it("are registered once: a second call adds none", () => {
    expect(registerWasmTrainingKernels(tf).added).toEqual([]);
  });

  it("come out again, and what they replaced is back", async () => {
    fast.unregister();
    const again = registerWasmTrainingKernels(tf, { fastInputGradient: true });
    expect(again.added).toEqual(["Conv2DBackpropInput"]);
    again.unregister();
    const stock = tf.getKernel("Conv2DBackpropInput", "wasm");
    fast = registerWasmTrainingKernels(tf, { fastInputGradient: true });
    expect(tf.getKernel("Conv2DBackpropInput", "wasm")).not.toBe(stock);
  });

  it("give conv2d the gradients of the cpu backend for any shape, stride and padding", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const { batch, height, width, inChannels, outChannels, filterHeight, filterWidth, strides, pad } = one;
        const conv = (x: Tensor, w: Tensor) => tf.conv2d(x as never, w as never, strides, pad);
        const shapes = [
          [batch, height, width, inChannels],
          [filterHeight, filterWidth, inChannels, outChannels],
        ];
        await expectSame(gradients(conv, shapes));
      }),
      { numRuns: 150 },
    );
  });

  it("give depthwise conv2d the gradients of the cpu backend for any shape, stride and padding", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const { batch, height, width, inChannels, outChannels, filterHeight, filterWidth, strides, pad } = one;
        const conv = (x: Tensor, w: Tensor) => tf.depthwiseConv2d(x as never, w as never, strides, pad);
        const shapes = [
          [batch, height, width, inChannels],
          [filterHeight, filterWidth, inChannels, outChannels],
        ];
        await expectSame(gradients(conv, shapes));
      }),
      { numRuns: 150 },
    );
  });

  it("sum up blocks: a filter gradient over more pixels than one block holds", async () => {
    await expectSame(
      gradients(
        (x, w) => tf.conv2d(x as never, w as never, 1, "same"),
        [
          [4, 40, 33, 3],
          [3, 3, 3, 5],
        ],
      ),
    );
  });

  it("send the gradient of a max pool to the first largest input, in windows of negative inputs and in ties too", async () => {
    const poolCases = fc.record({ one: cases, offset: fc.constantFrom(-5, 0, 5), relu: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(poolCases, async ({ one, offset, relu }) => {
        const { batch, height, width, inChannels, filterHeight, filterWidth, strides, pad } = one;
        fc.pre(typeof pad === "string");
        const pool = (x: Tensor) => {
          const shifted = relu ? tf.relu(x) : x.add(offset);
          return tf.maxPool(shifted as never, [filterHeight, filterWidth], strides, pad);
        };
        await expectSame(gradients(pool, [[batch, height, width, inChannels]]));
      }),
      { numRuns: 60 },
    );
  });

  it("add up rows of an embedding that occur several times, and ignore ids outside", async () => {
    await expectSame(() => tf.unsortedSegmentSum(tf.randomNormal([40, 3, 2], 0, 1, "float32", 5), ids(40, 7), 5));
  });
});

function ids(count: number, limit: number) {
  return tf.tensor1d(
    Array.from({ length: count }, (_, index) => (index * 13 + 5) % limit),
    "int32",
  );
}

describe("gradients of common operations on wasm equal those of the cpu backend", () => {
  const x4 = [2, 6, 6, 4];
  const operations: Record<string, [(...inputs: Tensor[]) => Tensor, number[][]]> = {
    conv1d: [
      (x, w) => tf.conv1d(x as never, w as never, 2, "same"),
      [
        [2, 9, 3],
        [3, 3, 4],
      ],
    ],
    conv2dTranspose: [
      (x, w) => tf.conv2dTranspose(x as never, w as never, [2, 12, 12, 3], 2, "same"),
      [x4, [3, 3, 3, 4]],
    ],
    separableConv2d: [
      (x, d, p) => tf.separableConv2d(x as never, d as never, p as never, 1, "same"),
      [x4, [3, 3, 4, 2], [1, 1, 8, 3]],
    ],
    maxPool: [(x) => tf.maxPool(x as never, 2, 2, "valid"), [x4]],
    avgPool: [(x) => tf.avgPool(x as never, 3, 2, "same"), [x4]],
    globalAveragePool: [(x) => tf.mean(x, [1, 2]), [x4]],
    // Batch 1: for larger ones it is the cpu backend whose gradient is wrong.
    upsampling: [(x) => tf.image.resizeNearestNeighbor(x as never, [12, 12]), [[1, 6, 6, 4]]],
    resizeBilinear: [(x) => tf.image.resizeBilinear(x as never, [9, 9]), [x4]],
    batchNormalization: [
      (x, scale, offset) => {
        const { mean, variance } = tf.moments(x, [0, 1, 2]);
        return x.sub(mean).mul(variance.add(1e-3).rsqrt()).mul(scale).add(offset);
      },
      [x4, [4], [4]],
    ],
    layerNormalization: [
      (x, scale) => {
        const { mean, variance } = tf.moments(x, -1, true);
        return x.sub(mean).div(variance.add(1e-3).sqrt()).mul(scale);
      },
      [[3, 5, 8], [8]],
    ],
    attention: [
      (q, k, v) => tf.matMul(tf.softmax(tf.matMul(q, k, false, true).div(2)), v),
      [
        [2, 5, 4],
        [2, 5, 4],
        [2, 5, 4],
      ],
    ],
    softmaxCrossEntropy: [
      (logits) => tf.losses.softmaxCrossEntropy<Tensor, Tensor>(tf.oneHot(ids(6, 5), 5), logits),
      [[6, 5]],
    ],
    embedding: [(table) => tf.gather(table, ids(12, 7)), [[7, 4]]],
    relu: [(x) => tf.relu(x), [x4]],
    leakyRelu: [(x) => tf.leakyRelu(x), [x4]],
    prelu: [(x, alpha) => tf.prelu(x, alpha), [x4, [4]]],
    elu: [(x) => tf.elu(x), [x4]],
    selu: [(x) => tf.selu(x), [x4]],
    gelu: [(x) => x.mul(tf.erf(x.div(Math.SQRT2)).add(1)).div(2), [x4]],
    swish: [(x) => x.mul(tf.sigmoid(x)), [x4]],
    softplus: [(x) => tf.softplus(x), [x4]],
    tanh: [(x) => tf.tanh(x), [x4]],
    concatAndSplit: [(a, b) => tf.concat(tf.split(tf.concat([a, b], 3), 2, 1), 2), [x4, x4]],
    stack: [
      (a, b) => tf.stack([a, b], 1),
      [
        [3, 4],
        [3, 4],
      ],
    ],
    pad: [
      (x) =>
        tf.pad(x, [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ]),
      [x4],
    ],
    mirrorPad: [
      (x) =>
        tf.mirrorPad(
          x,
          [
            [0, 0],
            [1, 1],
            [1, 1],
            [0, 0],
          ],
          "reflect",
        ),
      [x4],
    ],
    cumsum: [(x) => tf.cumsum(x, 1), [[3, 5]]],
    tile: [(x) => tf.tile(x, [2, 1, 3]), [[2, 3, 2]]],
    reverse: [(x) => tf.reverse(x, 1), [[2, 3, 2]]],
    minimumMaximum: [
      (a, b) => tf.minimum(a, b).add(tf.maximum(a, b).mul(2)),
      [
        [3, 4],
        [3, 4],
      ],
    ],
    clip: [(x) => tf.clipByValue(x, -0.5, 0.5), [x4]],
    maxReduction: [(x) => tf.max(x, 1), [[3, 5]]],
    power: [(x) => tf.pow(tf.abs(x).add(1), 1.5).log(), [[3, 5]]],
    where: [
      (a, b) => tf.where(ids(15, 2).reshape([3, 5]).cast("bool"), a, b),
      [
        [3, 5],
        [3, 5],
      ],
    ],
    spaceToBatch: [
      (x) =>
        tf.spaceToBatchND(
          x,
          [2, 2],
          [
            [0, 0],
            [0, 0],
          ],
        ),
      [x4],
    ],
    localResponseNormalization: [(x) => tf.localResponseNormalization(x as never), [x4]],
  };
  for (const [name, [operation, shapes]] of Object.entries(operations)) {
    it(name, async () => {
      await expectSame(gradients(operation, shapes));
    });
  }

  it("reports the largest relative error seen", () => {
    console.info(`largest relative error against the cpu backend: ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(TOLERANCE);
  });
});
