/** What every accelerated layer goes through before and after its products: operands encoded, sums written back, a record kept. */
import { VdnnError } from "../../errors.ts";
import { encode, type Encoded, firstNonFinite } from "../arithmetic/encode.ts";
import { accumulatorScale, type Summation, summationOf } from "../arithmetic/product.ts";
import { type Rectifier, writeBack } from "../arithmetic/write-back.ts";
import type { LayerShape } from "../layer.ts";
import type { Machine } from "./machine.ts";
import type { MacCounts } from "./records.ts";

export interface LayerRun {
  readonly name: string;
  readonly inputs: Encoded;
  readonly weights: Encoded;
  readonly summation: Summation;
}

/**
 * @param weights [depth, filters], as often as there are groups
 * @throws VdnnError `ERR_INVALID_MODEL` for weights that are no finite numbers, `ERR_BACKEND` for inputs that are none
 */
export function beginLayer(
  machine: Machine,
  kernel: string,
  x: Float32Array,
  weights: Float32Array,
  { depth, filters }: { readonly depth: number; readonly filters: number },
): LayerRun {
  const name = machine.layer() ?? machine.log.nameFor(kernel);
  checkFinite(name, "weights", weights);
  checkFinite(name, "inputs", x);
  const encoded = encode(x, machine.arithmetic, "inputs");
  const codes = encode(weights, machine.arithmetic, "weights");
  const norm = largestNorm(codes.codes, depth, filters);
  const summation = summationOf(machine.arithmetic, encoded.largest, norm, depth);
  return { name, inputs: encoded, weights: codes, summation };
}

export interface LayerSums {
  /** Accumulators, the output channel varying fastest. */
  readonly values: Float64Array;
  readonly saturated: number;
  readonly macs: MacCounts;
}

/** @returns the output's values */
export function finishLayer(
  { arithmetic, unit, log }: Machine,
  { name, inputs, weights, summation }: LayerRun,
  kernel: string,
  sums: LayerSums,
  bias: Float32Array | null,
  rectifier: Rectifier,
  shape: Omit<LayerShape, "name" | "bias">,
): Float32Array {
  const scale = accumulatorScale(inputs, weights, summation);
  const written = writeBack(sums.values, scale, bias, rectifier, arithmetic);
  log.layers.push({
    name,
    kernel,
    shape: { name, ...shape, bias: bias !== null },
    densities: {
      inputs: share(inputs.nonZero, inputs.codes.length),
      weights: share(weights.nonZero, weights.codes.length),
      outputs: share(written.nonZero, written.values.length),
    },
    macs: sums.macs,
    precision: arithmetic.precision,
    accumulate: arithmetic.accumulate,
    saturated: {
      inputs: inputs.saturated,
      weights: weights.saturated,
      sums: sums.saturated + written.saturatedSums,
      outputs: written.saturatedOutputs,
    },
    mode: unit.mode,
  });
  return written.values;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** The largest sum of magnitudes over one filter. */
function largestNorm(codes: Float32Array, depth: number, filters: number): number {
  const norms = new Float64Array(codes.length / Math.max(1, depth));
  for (let at = 0; at < codes.length; at++) {
    const filter = Math.floor(at / (depth * filters)) * filters + (at % filters);
    norms[filter] = (norms[filter] as number) + Math.abs(codes[at] as number);
  }
  return norms.reduce((largest, norm) => Math.max(largest, norm), 0);
}

function checkFinite(layer: string, what: "inputs" | "weights", values: Float32Array): void {
  const index = firstNonFinite(values);
  if (index < 0) return;
  const remedy =
    what === "weights" ? "the model is damaged: load it again, or train it again" : "look at the layers before it";
  throw new VdnnError(
    what === "weights" ? "ERR_INVALID_MODEL" : "ERR_BACKEND",
    `layer ${layer}: expected finite ${what}, got ${values[index]} at element ${index} of ${values.length}; ${remedy}`,
    { layer, tensor: what, index, got: values[index] },
  );
}
