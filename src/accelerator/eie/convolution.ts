/**
 * Convolutions on EIE, which has no dataflow for them: one matrix-vector product per output position, over the inputs under the
 * filter (im2col). Exact, cycle by cycle, so only where that is affordable; beyond, the caller is told to cost the layer elsewhere.
 */
import type { LayerShape } from "../layer.ts";
import { invalidEie } from "./invalid.ts";
import { checkLayer, type EieLayer, entriesOf } from "./layer.ts";
import { checkMachine, EIE } from "./machine.ts";
import { addCounts, type EieCounts, type EieOptions, simulateChecked } from "./simulate.ts";

export interface ConvolutionOptions extends EieOptions {
  /** Entries and activations to be simulated at most; 2e7 take a few seconds. Default 2e7. */
  readonly maxWork?: number;
}

export type ConvolutionRun =
  | {
      readonly kind: "simulated";
      readonly counts: EieCounts;
      /** `[batch, outputHeight, outputWidth, filters]` */
      readonly outputs: Float32Array;
    }
  | { readonly kind: "unsupported"; readonly reason: string };

/**
 * @param groups one layer per group, of `filterHeight · filterWidth · channels` inputs in that order
 * @param input `[batch, inputHeight, inputWidth, channels · groups]`, padding included
 */
export function convolve(
  shape: LayerShape,
  groups: readonly EieLayer[],
  input: Float32Array,
  { maxWork = 2e7, ...options }: ConvolutionOptions = {},
): ConvolutionRun {
  const { machine = EIE } = options;
  checkSizes(shape, groups, input);
  checkMachine(machine);
  for (const layer of groups) checkLayer(layer, machine);
  const positions = shape.batch * shape.outputHeight * shape.outputWidth;
  const work = positions * groups.reduce((sum, layer) => sum + entriesOf(layer) + layer.inputs, 0);
  if (work > maxWork) {
    const reason = `${shape.name}: ${positions} matrix-vector products of ${work} entries and activations, more than ${maxWork}`;
    return { kind: "unsupported", reason };
  }
  const outputs = new Float32Array(positions * shape.filters);
  const perGroup = shape.filters / shape.groups;
  let counts: EieCounts | null = null;
  for (let position = 0; position < positions; position++) {
    for (const [group, layer] of groups.entries()) {
      const run = simulateChecked(layer, patch(shape, input, position, group), { ...options, machine });
      outputs.set(run.outputs, position * shape.filters + group * perGroup);
      counts = counts === null ? run : addCounts(counts, run);
    }
  }
  if (counts === null) throw invalidEie(shape.name, "has no output position");
  return { kind: "simulated", counts, outputs };
}

/** The inputs of one group under the filter at one output position. */
function patch(shape: LayerShape, input: Float32Array, position: number, group: number): Float32Array {
  const { channels, groups, inputHeight, inputWidth, filterHeight, filterWidth, outputHeight, outputWidth, stride } =
    shape;
  const map = Math.floor(position / (outputHeight * outputWidth));
  const top = (Math.floor(position / outputWidth) % outputHeight) * stride;
  const left = (position % outputWidth) * stride;
  const values = new Float32Array(filterHeight * filterWidth * channels);
  for (let y = 0; y < filterHeight; y++) {
    for (let x = 0; x < filterWidth; x++) {
      const pixel = (map * inputHeight + top + y) * inputWidth + left + x;
      const from = (pixel * groups + group) * channels;
      values.set(input.subarray(from, from + channels), (y * filterWidth + x) * channels);
    }
  }
  return values;
}

function checkSizes(shape: LayerShape, layers: readonly EieLayer[], input: Float32Array): void {
  const { name, batch, channels, filters, groups, inputHeight, inputWidth, filterHeight, filterWidth } = shape;
  const inputs = batch * inputHeight * inputWidth * channels * groups;
  if (input.length !== inputs) throw invalidEie(name, `expected ${inputs} inputs, got ${input.length}`);
  if (layers.length !== groups) throw invalidEie(name, `expected ${groups} groups, got ${layers.length} layers`);
  for (const layer of layers) {
    const expected = filterHeight * filterWidth * channels;
    if (layer.inputs !== expected || layer.outputs !== filters / groups) {
      const got = `${layer.inputs} × ${layer.outputs}`;
      throw invalidEie(name, `expected a matrix of ${expected} × ${filters / groups}, got ${got}`);
    }
  }
}
