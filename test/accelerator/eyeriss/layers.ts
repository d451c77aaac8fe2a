/** Shapes for tests: square convolutions, and small ones at random. */
import fc from "fast-check";
import type { LayerShape } from "../../../src/accelerator/layer.ts";

export interface ConvolutionSizes {
  readonly batch?: number;
  readonly channels: number;
  readonly filters: number;
  readonly groups?: number;
  readonly filter: number;
  readonly output: number;
  readonly width?: number;
  readonly stride?: number;
}

export function convolution(sizes: ConvolutionSizes, name = "conv"): LayerShape {
  const { batch = 1, channels, filters, groups = 1, filter, output, width = output, stride = 1 } = sizes;
  return {
    name,
    kind: "convolution",
    batch,
    channels,
    filters,
    groups,
    inputHeight: (output - 1) * stride + filter,
    inputWidth: (width - 1) * stride + filter,
    filterHeight: filter,
    filterWidth: filter,
    outputHeight: output,
    outputWidth: width,
    stride,
    bias: true,
  };
}

export function fullyConnected(channels: number, filters: number, { batch = 1, size = 1 } = {}): LayerShape {
  return { ...convolution({ batch, channels, filters, filter: size, output: 1 }, "fc"), kind: "fully-connected" };
}

export const smallLayers: fc.Arbitrary<LayerShape> = fc
  .record({
    batch: fc.integer({ min: 1, max: 4 }),
    channels: fc.integer({ min: 1, max: 12 }),
    filtersPerGroup: fc.integer({ min: 1, max: 12 }),
    groups: fc.integer({ min: 1, max: 2 }),
    filter: fc.integer({ min: 1, max: 7 }),
    output: fc.integer({ min: 1, max: 20 }),
    width: fc.integer({ min: 1, max: 20 }),
    stride: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ filtersPerGroup, groups, ...sizes }) => convolution({ ...sizes, groups, filters: filtersPerGroup * groups }));
