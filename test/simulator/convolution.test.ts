/** Workspaces of convolutions in the frequency domain. */
import { describe, expect, test } from "vitest";
import { spectralConvolution } from "../../src/simulator/convolution.ts";
import type { ConvolutionShape } from "../../src/simulator/work.ts";

const MIB = 2 ** 20;

function square(
  batch: number,
  size: number,
  channels: number,
  filters: number,
  window: number,
  stride = 1,
): ConvolutionShape {
  return {
    batch,
    inputHeight: size,
    inputWidth: size,
    inputChannels: channels,
    outputHeight: size / stride,
    outputWidth: size / stride,
    outputChannels: filters,
    kernelHeight: window,
    kernelWidth: window,
    strideHeight: stride,
    strideWidth: stride,
  };
}

describe("spectralConvolution", () => {
  test("has the 213 MiB that the µ-cuDNN paper reports for AlexNet's grouped conv2, to the MiB", () => {
    const workspace = spectralConvolution(square(256, 27, 48, 128, 5), Number.POSITIVE_INFINITY)?.workspaceBytes ?? 0;
    expect(Math.round(workspace / MIB)).toBe(213);
  });

  test("stays within a limit by taking fewer samples at a time, for the same work", () => {
    const shape = square(256, 224, 64, 64, 3);
    const whole = spectralConvolution(shape, Number.POSITIVE_INFINITY);
    const limited = spectralConvolution(shape, 4096 * MIB);
    expect(whole?.workspaceBytes).toBeGreaterThan(8192 * MIB);
    expect(limited?.workspaceBytes).toBeLessThanOrEqual(4096 * MIB);
    expect(limited?.workspaceBytes).toBeGreaterThan(4000 * MIB);
    expect(limited?.flops).toBe(whole?.flops);
    expect(limited?.trafficBytes).toBe(whole?.trafficBytes);
  });

  test.each([
    ["a stride", square(8, 56, 64, 64, 3, 2)],
    ["a window of 1x1", square(8, 56, 64, 64, 1)],
    ["a window above half the small tile", square(8, 56, 64, 64, 11)],
  ])("does not exist with %s", (_what, shape) => {
    expect(spectralConvolution(shape, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  test("does not exist where one sample exceeds the limit", () => {
    expect(spectralConvolution(square(8, 224, 64, 64, 3), 20 * MIB)).toBeUndefined();
  });
});
