/** The accelerated kernels against TensorFlow.js's cpu backend and plain loops: outputs, records, exact counts of zeros. */
import type { Tensor, Tensor4D } from "@tensorflow/tfjs";
import * as fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { ACCUMULATIONS_OF, arithmeticOf } from "../../../src/accelerator/arithmetic/arithmetic.ts";
import { encode } from "../../../src/accelerator/arithmetic/encode.ts";
import { accumulatorScale, summationOf } from "../../../src/accelerator/arithmetic/product.ts";
import { referenceProduct } from "../../../src/accelerator/arithmetic/reference.ts";
import { writeBack } from "../../../src/accelerator/arithmetic/write-back.ts";
import { type Accelerator, registerAccelerator } from "../../../src/accelerator/backend/register.ts";
import { PRECISIONS } from "../../../src/accelerator/energy.ts";
import { macsOf } from "../../../src/accelerator/layer.ts";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import type { TensorFlow } from "../../../src/runtime/engine.ts";

let tf: TensorFlow;
let accelerator: Accelerator | null = null;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
});

afterEach(async () => {
  await accelerator?.dispose();
  accelerator = null;
});

async function use(...args: Parameters<typeof registerAccelerator> extends [unknown, ...infer Rest] ? Rest : never) {
  accelerator = registerAccelerator(tf, ...args);
  await tf.setBackend(accelerator.name);
  return accelerator;
}

async function onCpu(compute: () => Tensor): Promise<Float32Array> {
  const active = tf.getBackend();
  await tf.setBackend("cpu");
  const values = tf.tidy(compute).dataSync() as Float32Array;
  await tf.setBackend(active);
  return values;
}

const small = (max: number) => fc.integer({ min: 1, max });
const convolutions = fc.record({
  batch: small(2),
  height: fc.integer({ min: 4, max: 8 }),
  width: fc.integer({ min: 4, max: 8 }),
  channels: small(4),
  /** Of a depthwise convolution the channel multiplier. */
  filters: small(5),
  filterHeight: small(3),
  filterWidth: small(3),
  stride: small(2),
  dilation: small(2),
  pad: fc.constantFrom("same" as const, "valid" as const),
  depthwise: fc.boolean(),
  sparse: fc.boolean(),
  seed: fc.nat(1000),
});
type Shape4D = [number, number, number, number];
type Convolution = typeof convolutions extends fc.Arbitrary<infer T> ? T : never;

/** Whole numbers from -127 to 127, of which 127 occurs: int8 holds them as they are. */
function codes(length: number, seed: number, sparse: boolean): Float32Array {
  const values = Float32Array.from({ length }, (_, i) => {
    const wave = Math.round(127 * Math.sin(seed + i * 12.9898));
    return sparse && wave % 3 !== 0 ? 0 : wave;
  });
  values[0] = 127;
  return values;
}

function tensorsOf(c: Convolution): { x: Float32Array; w: Float32Array; xShape: Shape4D; wShape: Shape4D } {
  const xShape: Shape4D = [c.batch, c.height, c.width, c.channels];
  const wShape: Shape4D = [c.filterHeight, c.filterWidth, c.channels, c.filters];
  const size = (shape: number[]) => shape.reduce((product, n) => product * n, 1);
  return { x: codes(size(xShape), c.seed, c.sparse), w: codes(size(wShape), c.seed + 7, c.sparse), xShape, wShape };
}

function convolve(c: Convolution): Tensor {
  const { x, w, xShape, wShape } = tensorsOf(c);
  const stride = c.dilation > 1 ? 1 : c.stride;
  const [map, filter] = [tf.tensor4d(x, xShape), tf.tensor4d(w, wShape)];
  return c.depthwise
    ? tf.depthwiseConv2d(map, filter, stride, c.pad, "NHWC", c.dilation)
    : tf.conv2d(map, filter, stride, c.pad, "NHWC", c.dilation);
}

describe("convolutions", () => {
  it("in int8, over random shapes, strides, dilations and paddings, are the cpu backend's on the same whole numbers", async () => {
    await use("eyeriss", { precision: "int8", accumulate: "int32", scaling: "symmetric" });
    const arithmetic = arithmeticOf("int8", "int32", "symmetric");
    await fc.assert(
      fc.asyncProperty(convolutions, async (c) => {
        // Sums of at most 36 products of 14 bits are exact in float32, whatever the order.
        const sums = await onCpu(() => convolve(c));
        const expected = writeBack(Float64Array.from(sums), 1, null, "linear", arithmetic).values;
        const actual = tf.tidy(() => convolve(c)).dataSync();
        expect(Array.from(actual, (value) => value + 0)).toEqual(Array.from(expected, (value) => value + 0));
      }),
      { numRuns: 60 },
    );
  });

  it("in fp32 are the cpu backend's within 1e-6 of the largest output", async () => {
    await use("eyeriss", { precision: "fp32" });
    await fc.assert(
      fc.asyncProperty(convolutions, async (c) => {
        const expected = await onCpu(() => tf.mul(convolve(c), 0.1));
        const actual = tf.tidy(() => tf.mul(convolve(c), 0.1)).dataSync();
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        actual.forEach((value, i) => expect(Math.abs(value - (expected[i] as number)) / largest).toBeLessThan(1e-6));
      }),
      { numRuns: 30 },
    );
  });

  it("are counted MAC by MAC: zero inputs, padding, zero weights, any zero operand", async () => {
    const { layers, reset } = await use("eyeriss", { precision: "int8", scaling: "symmetric" });
    fc.assert(
      fc.property(convolutions, (c) => {
        reset();
        tf.tidy(() => void convolve(c));
        const [layer] = layers();
        expect(layer?.macs).toEqual(countByLoops(c));
        expect(layer === undefined ? 0 : macsOf(layer.shape)).toBe(layer?.macs.total);
      }),
      { numRuns: 40 },
    );
  });
});

function countByLoops(c: Convolution) {
  const { x, w } = tensorsOf(c);
  const stride = c.dilation > 1 ? 1 : c.stride;
  const span = (filter: number) => (filter - 1) * c.dilation + 1;
  const out = (size: number, filter: number) =>
    c.pad === "same" ? Math.ceil(size / stride) : Math.ceil((size - span(filter) + 1) / stride);
  const before = (size: number, filter: number) =>
    c.pad === "same" ? Math.floor(Math.max(0, (out(size, filter) - 1) * stride + span(filter) - size) / 2) : 0;
  const counts = { total: 0, zeroInput: 0, padding: 0, zeroWeight: 0, zeroOperand: 0 };
  for (let n = 0; n < c.batch; n++)
    for (let y = 0; y < out(c.height, c.filterHeight); y++)
      for (let z = 0; z < out(c.width, c.filterWidth); z++)
        for (let r = 0; r < c.filterHeight; r++)
          for (let s = 0; s < c.filterWidth; s++)
            for (let channel = 0; channel < c.channels; channel++)
              for (let m = 0; m < c.filters; m++) {
                const row = y * stride - before(c.height, c.filterHeight) + r * c.dilation;
                const column = z * stride - before(c.width, c.filterWidth) + s * c.dilation;
                const outside = row < 0 || row >= c.height || column < 0 || column >= c.width;
                const input = outside ? 0 : x[((n * c.height + row) * c.width + column) * c.channels + channel];
                const weight = w[((r * c.filterWidth + s) * c.channels + channel) * c.filters + m];
                counts.total++;
                if (outside) counts.padding++;
                else if (input === 0) counts.zeroInput++;
                if (weight === 0) counts.zeroWeight++;
                if (input === 0 || weight === 0) counts.zeroOperand++;
              }
  return counts;
}

const pairs = PRECISIONS.flatMap((precision) =>
  ACCUMULATIONS_OF[precision].map((accumulate) => ({ precision, accumulate })),
);

describe("matrix products", () => {
  it.each(pairs)(
    "in $precision summed in $accumulate are the reference's, bit for bit",
    async ({ precision, accumulate }) => {
      await use("eyeriss", { precision, accumulate });
      const arithmetic = arithmeticOf(precision, accumulate);
      fc.assert(
        fc.property(small(5), small(40), small(7), fc.nat(99), (rows, depth, columns, seed) => {
          const wave = (_: unknown, i: number) => Math.fround(Math.sin(seed + i * 1.7) * 10 ** ((i % 3) - 1));
          const left = Float32Array.from({ length: rows * depth }, wave);
          const right = Float32Array.from({ length: depth * columns }, wave);
          const [x, w] = [encode(left, arithmetic, "inputs"), encode(right, arithmetic, "weights")];
          const norm = Math.max(
            ...Array.from({ length: columns }, (_, j) =>
              w.codes.reduce((sum, code, i) => (i % columns === j ? sum + Math.abs(code) : sum), 0),
            ),
          );
          const summation = summationOf(arithmetic, x.largest, norm, depth);
          const product = { left: x.codes, right: w.codes, groups: 1, rows, depth, columns };
          const sums = referenceProduct(product, summation).values;
          const expected = writeBack(sums, accumulatorScale(x, w, summation), null, "linear", arithmetic).values;
          const actual = tf.tidy(() =>
            tf.matMul(tf.tensor2d(left, [rows, depth]), tf.tensor2d(right, [depth, columns])).dataSync(),
          );
          expect(Array.from(actual, (value) => value + 0)).toEqual(Array.from(expected, (value) => value + 0));
        }),
        { numRuns: 15 },
      );
    },
  );

  it.each([
    { a: [3, 4, 5], b: [3, 5, 2], transposed: [false, false] },
    { a: [3, 5, 4], b: [3, 2, 5], transposed: [true, true] },
    { a: [1, 4, 5], b: [3, 5, 2], transposed: [false, false] },
    { a: [2, 3, 4, 5], b: [1, 1, 5, 2], transposed: [false, false] },
    { a: [2, 1, 4, 5], b: [1, 3, 5, 2], transposed: [false, false] },
  ] as const)("of batches $a and $b, transposed $transposed, are the cpu backend's", async ({ a, b, transposed }) => {
    const { layers, hostOps } = await use("eyeriss", { precision: "fp32" });
    const filled = (shape: readonly number[]) => {
      const size = shape.reduce<number>((product, n) => product * n, 1);
      return tf.sin(tf.range(0, size)).reshape([...shape]);
    };
    const multiply = () => tf.matMul(filled(a), filled(b), ...transposed);
    const expected = await onCpu(multiply);
    const actual = tf.tidy(multiply).dataSync();
    actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 5));
    // Only batches that broadcast over each other are the host's.
    const both = String(a.slice(0, -2)) === "2,1";
    expect(layers().length).toBe(both ? 0 : 1);
    expect(hostOps().filter(({ kernel }) => kernel === "BatchMatMul")).toMatchObject(
      both ? [{ reason: "its batches are broadcast over each other", macs: 2 * 3 * 4 * 2 * 5 }] : [],
    );
  });
});

describe("fused biases and activations", () => {
  const activations = ["linear", "relu", "relu6", "elu", "sigmoid", "prelu", "leakyrelu"] as const;
  it.each(activations)("%s gives what the cpu backend gives", async (activation) => {
    const { layers, hostOps } = await use("eyeriss", { precision: "fp32" });
    const compute = () =>
      tf.fused.conv2d({
        x: tf.sin(tf.range(0, 75)).mul(9).reshape<Tensor4D>([1, 5, 5, 3]),
        filter: tf.cos(tf.range(0, 54)).reshape<Tensor4D>([3, 3, 3, 2]),
        strides: 1,
        pad: "same",
        bias: tf.tensor1d([0.5, -1]),
        activation,
        ...(activation === "prelu" ? { preluActivationWeights: tf.tensor1d([0.1, 0.3]) } : {}),
        leakyreluAlpha: 0.2,
      });
    const expected = await onCpu(compute);
    const actual = tf.tidy(compute).dataSync();
    actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 4));
    expect(layers().map(({ shape }) => shape.bias)).toEqual([true]);
    const onChip = activation === "linear" || activation === "relu" || activation === "relu6";
    const kernels = new Set(["Elu", "Sigmoid", "Prelu", "LeakyRelu"]);
    expect(hostOps().filter(({ kernel }) => kernels.has(kernel)).length).toBe(onChip ? 0 : 1);
  });
});
