/** Convolutions on the accelerator: Conv2D, depthwise convolutions, and both with bias and activation fused. NHWC. */
import { elementCount, type TensorInfo } from "../../runtime/engine.ts";
import type { Rectifier } from "../arithmetic/write-back.ts";
import type { LayerShape } from "../layer.ts";
import { beginLayer, finishLayer, type LayerRun, type LayerSums } from "./layer-run.ts";
import { addMacs, countMacs } from "./mac-counts.ts";
import { floatsOf, type Machine } from "./machine.ts";
import { type ConvGeometry, PatchCounter, patchesOf } from "./patches.ts";

/** Elements of the patches that are made at a time; 4 MiB. */
const PATCH_ELEMENTS = 2 ** 20;

export interface ConvolutionCall {
  readonly kernel: string;
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias: TensorInfo | null;
  readonly rectifier: Rectifier;
  readonly geometry: ConvGeometry;
  readonly depthwise: boolean;
}

export function convolve(machine: Machine, call: ConvolutionCall): TensorInfo {
  const { kernel, geometry, depthwise } = call;
  const filter = floatsOf(machine, call.filter);
  const taps = geometry.filterHeight * geometry.filterWidth;
  const depth = depthwise ? taps : taps * geometry.inChannels;
  const run = beginLayer(machine, kernel, floatsOf(machine, call.x), filter, { depth, filters: geometry.outChannels });
  const sums = depthwise ? sumPerChannel(machine, run, geometry) : sumAll(machine, run, geometry);
  const bias = call.bias === null ? null : floatsOf(machine, call.bias);
  const values = finishLayer(machine, run, kernel, sums, bias, call.rectifier, shapeOf(geometry, depthwise));
  return machine.backend.makeTensorInfo(geometry.outShape, "float32", values);
}

/** Patches [pixels, taps · channels] times filters [taps · channels, outputs]. */
function sumAll({ unit }: Machine, { inputs, weights, summation }: LayerRun, geometry: ConvGeometry): LayerSums {
  const columns = geometry.outChannels;
  const depth = weights.codes.length / columns;
  const pixels = elementCount(geometry.outShape) / columns;
  const counter = new PatchCounter(depth);
  const values = new Float64Array(pixels * columns);
  let saturated = 0;
  const perPart = Math.max(4, Math.floor(PATCH_ELEMENTS / depth));
  for (let first = 0; first < pixels; first += perPart) {
    const last = Math.min(pixels, first + perPart);
    const left = patchesOf(inputs.codes, geometry, first, last, counter);
    const right = weights.codes;
    const part = unit.multiply({ left, right, groups: 1, rows: last - first, depth, columns }, summation);
    values.set(part.values, first * columns);
    saturated += part.saturated;
  }
  return { values, saturated, macs: countMacs(counter, weights.codes) };
}

/** A product per channel, image by image: its filters [multiplier, taps] times its patches [taps, pixels]. */
function sumPerChannel(machine: Machine, run: LayerRun, geometry: ConvGeometry): LayerSums {
  const { outChannels, inChannels: groups, batchSize, filterHeight, filterWidth } = geometry;
  const { codes } = run.weights;
  const [depth, rows] = [filterHeight * filterWidth, outChannels / groups];
  const pixels = elementCount(geometry.outShape) / outChannels / batchSize;
  const filters = new Float32Array(codes.length);
  for (let tap = 0; tap < depth; tap++) {
    for (let out = 0; out < outChannels; out++) filters[out * depth + tap] = codes[tap * outChannels + out] as number;
  }
  const values = new Float64Array(batchSize * pixels * outChannels);
  const planes = new Float32Array(groups * depth * pixels);
  let [saturated, macs] = [0, NO_MACS];
  for (let image = 0; image < batchSize; image++) {
    const counter = new PatchCounter(depth * groups);
    const patches = patchesOf(run.inputs.codes, geometry, image * pixels, (image + 1) * pixels, counter);
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let tap = 0; tap < depth; tap++) {
        for (let channel = 0; channel < groups; channel++) {
          planes[(channel * depth + tap) * pixels + pixel] = patches[
            (pixel * depth + tap) * groups + channel
          ] as number;
        }
      }
    }
    const product = { left: filters, right: planes, groups, rows, depth, columns: pixels };
    const part = machine.unit.multiply(product, run.summation);
    const start = image * pixels * outChannels;
    for (let out = 0; out < outChannels; out++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        values[start + pixel * outChannels + out] = part.values[out * pixels + pixel] as number;
      }
    }
    saturated += part.saturated;
    macs = addMacs(macs, countMacs(counter, codes));
  }
  return { values, saturated, macs };
}

const NO_MACS = { total: 0, zeroInput: 0, padding: 0, zeroWeight: 0, zeroOperand: 0 };

function shapeOf(geometry: ConvGeometry, depthwise: boolean): Omit<LayerShape, "name" | "bias"> {
  const { padInfo } = geometry;
  return {
    kind: "convolution",
    batch: geometry.batchSize,
    channels: depthwise ? 1 : geometry.inChannels,
    filters: geometry.outChannels,
    groups: depthwise ? geometry.inChannels : 1,
    inputHeight: geometry.inHeight + padInfo.top + padInfo.bottom,
    inputWidth: geometry.inWidth + padInfo.left + padInfo.right,
    filterHeight: geometry.filterHeight,
    filterWidth: geometry.filterWidth,
    outputHeight: geometry.outHeight,
    outputWidth: geometry.outWidth,
    stride: geometry.strideHeight,
  };
}
