/**
 * Weight stationary: each element holds one weight until every map of the batch has passed. R x S elements make a plane of one filter
 * and channel, in which sums move from element to element; one input word at a time is broadcast to all planes, which are of
 * different filters of that channel. Sums wait in the buffer from channel to channel, for the whole batch: where they do not
 * fit, the layer cannot run, as the paper says of N = 64.
 */
import { inputsOf, type LayerShape, macsOf, outputsOf, weightsOf } from "../layer.ts";
import type { Dataflow } from "./dataflow.ts";
import { divisors, greatestDivisor } from "./parts.ts";
import { type LayerReuse, rest } from "./reuse.ts";

export const weightStationary: Dataflow = {
  name: "weight-stationary",
  title: "WS",
  registerWords: 1,

  *reuses(layer, { rows, columns, bufferWords }) {
    const { filterHeight, filterWidth, batch, outputHeight, outputWidth, inputHeight, inputWidth } = layer;
    const filters = layer.filters / layer.groups;
    const planes = Math.floor((rows * columns) / (filterHeight * filterWidth));
    const sumsOfFilter = batch * outputHeight * outputWidth;
    const channelWords = batch * inputHeight * inputWidth;
    for (const atOnce of divisors(filters, planes)) {
      // Each channel comes from DRAM for every group of planes, or stays in the buffer while more groups use it.
      if (bufferWords >= atOnce * sumsOfFilter) yield reuseOf(layer, atOnce, filters / atOnce);
      const groupsOfPlanes = filters / atOnce;
      const kept = greatestDivisor(groupsOfPlanes, (bufferWords - channelWords) / (atOnce * sumsOfFilter));
      if (kept > 1) yield reuseOf(layer, atOnce, groupsOfPlanes / kept);
    }
  },
};

/** @param fetches of each input from DRAM */
function reuseOf(layer: LayerShape, atOnce: number, fetches: number): LayerReuse {
  const { batch, channels, filterHeight, filterWidth, outputHeight, outputWidth, filters, groups } = layer;
  const [macs, inputs] = [macsOf(layer), inputsOf(layer)];
  const passes = filters / groups / atOnce;
  return {
    inputs: { a: fetches, b: passes / fetches, c: rest(macs / inputs, passes), d: 1 },
    weights: { a: 1, b: 1, c: 1, d: batch * outputHeight * outputWidth },
    sums: { a: 1, b: channels, c: filterHeight * filterWidth, d: 1 },
    words: { inputs, weights: weightsOf(layer), outputs: outputsOf(layer) },
    registers: "inputs and weights",
  };
}
