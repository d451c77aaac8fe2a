/**
 * A layer as matrix-vector products on EIE: all of them, or evenly spaced ones where they are too many, scaled up. Only the places of
 * zeros are looked at.
 */
import { encodeLayer } from "../eie/encode.ts";
import { type EieLayer, entriesOf } from "../eie/layer.ts";
import type { EieMachine } from "../eie/machine.ts";
import { randomLayer } from "../eie/random-layer.ts";
import { addCounts, type EieCounts, simulate } from "../eie/simulate.ts";
import { deriveSeed, mulberry32 } from "../../networks/data.ts";
import type { InferLayer, Operands } from "./model.ts";

/** Entries and activations that are simulated per layer at most; half a second. A layer has at least one product. */
const MOST_WORK = 4e6;
/** Any weight that is not zero. */
const CODEBOOK = Float32Array.of(0, 1);
/** Random layers need one non-zero in a million at least. */
const LEAST_DENSITY = 1e-6;

export interface EieVectors {
  readonly matrix: EieLayer;
  /** Of all `vectors`. */
  readonly counts: EieCounts;
  readonly vectors: number;
  readonly simulatedVectors: number;
}

export function countVectors(layer: InferLayer, machine: EieMachine, seed: number): EieVectors {
  const { batch, outputHeight, outputWidth } = layer.shape;
  const vectors = batch * outputHeight * outputWidth;
  const { matrix, vectorAt } =
    layer.operands === null ? drawn(layer, machine, seed) : recorded(layer, layer.operands, machine);
  const most = Math.max(1, Math.floor(MOST_WORK / (entriesOf(matrix) + matrix.inputs)));
  const simulatedVectors = Math.min(vectors, most);
  let counts: EieCounts | null = null;
  for (let i = 0; i < simulatedVectors; i++) {
    const vector = vectorAt(Math.floor((i * vectors) / simulatedVectors));
    // Layers behind no ReLU have negative activations, and their products count.
    const run = simulate(matrix, vector, { machine, negatives: "broadcast" });
    counts = counts === null ? run : addCounts(counts, run);
  }
  if (counts === null) throw new Error(`${layer.shape.name}: expected at least one vector`);
  return { matrix, counts: scaled(counts, vectors / simulatedVectors), vectors, simulatedVectors };
}

interface Products {
  readonly matrix: EieLayer;
  readonly vectorAt: (index: number) => Float32Array;
}

function recorded({ shape }: InferLayer, { inputs, weights, bias }: Operands, machine: EieMachine): Products {
  const { name, channels, filters } = shape;
  const codes = places(weights);
  const biasCodes = bias === null ? null : places(bias);
  const matrix = encodeLayer(
    { name, inputs: channels, outputs: filters, codes, biasCodes, codebook: CODEBOOK },
    machine,
  );
  return { matrix, vectorAt: (index) => inputs.subarray(index * channels, (index + 1) * channels) };
}

function drawn({ shape, densities }: InferLayer, machine: EieMachine, seed: number): Products {
  const { name, channels: inputs, filters: outputs, bias } = shape;
  const weightDensity = Math.max(densities.weights, LEAST_DENSITY);
  // Of the layer's own activations nothing is used: every product gets its own.
  const options = { name, inputs, outputs, weightDensity, activationDensity: 1, bias, seed, machine };
  const { layer: matrix } = randomLayer(options);
  const vectorAt = (index: number): Float32Array => {
    const random = mulberry32(deriveSeed(seed + index, name));
    return Float32Array.from({ length: inputs }, () => (random() < densities.inputs ? 1 : 0));
  };
  return { matrix, vectorAt };
}

/** 1 where a value is not zero. A bias column of zeros is no column of entries. */
function places(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
}

/** Counts of more products than were simulated. */
function scaled(counts: EieCounts, factor: number): EieCounts {
  const times = (count: number): number => Math.round(count * factor);
  return {
    cycles: times(counts.cycles),
    work: times(counts.work),
    zeroWork: times(counts.zeroWork),
    broadcasts: times(counts.broadcasts),
    stalls: times(counts.stalls),
    activationLines: times(counts.activationLines),
    skippedNegatives: times(counts.skippedNegatives),
    emptyColumns: times(counts.emptyColumns),
    matrixLines: times(counts.matrixLines),
    bypasses: times(counts.bypasses),
  };
}
