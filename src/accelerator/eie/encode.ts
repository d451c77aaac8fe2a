/** Makes layers for EIE: from the codes of a dense matrix, or from a weight tensor after Deep Compression. */
import { encodeCsc } from "../../compression/codecs/csc.ts";
import { decodeRelative } from "../../compression/codecs/relative-index.ts";
import { type CompressedLayer, sizeOf } from "../../compression/model.ts";
import { invalidEie } from "./invalid.ts";
import { checkCodebook, type EieLayer } from "./layer.ts";
import { EIE, type EieMachine } from "./machine.ts";

export interface CodedMatrix {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** `[inputs, outputs]`, as tf.layers keeps a kernel: column by column of the matrix. 0 where the weight is zero. */
  readonly codes: Uint8Array;
  /** `[outputs]`, codes into the same codebook; null: no bias column. */
  readonly biasCodes: Uint8Array | null;
  /** Code 0 is 0. */
  readonly codebook: Float32Array;
}

/** @throws VdnnError `ERR_INVALID_OPTION` when the codes have more bits than the machine's, or sizes differ */
export function encodeLayer(matrix: CodedMatrix, machine: EieMachine = EIE): EieLayer {
  const { name, inputs, outputs, codes, biasCodes, codebook } = matrix;
  checkCodebook(name, codebook, machine);
  if (inputs < 1 || outputs < 1 || codes.length !== inputs * outputs) {
    throw invalidEie(name, `expected ${inputs} × ${outputs} codes, got ${codes.length}`);
  }
  if (biasCodes !== null && biasCodes.length !== outputs) {
    throw invalidEie(name, `expected ${outputs} codes of the bias, got ${biasCodes.length}`);
  }
  const all = new Uint8Array(codes.length + (biasCodes?.length ?? 0));
  all.set(codes);
  if (biasCodes !== null) all.set(biasCodes, codes.length);
  const bad = all.findIndex((code) => code >= codebook.length);
  if (bad !== -1) throw invalidEie(name, `code ${bad} is ${all[bad]}, of ${codebook.length} in the codebook`);
  const { elements } = encodeCsc(all, {
    rows: outputs,
    columns: all.length / outputs,
    elements: machine.pes,
    indexBits: machine.zeroRunBits,
    order: "column-major",
  });
  return { name, inputs, outputs, bias: biasCodes !== null, codebook, pes: elements };
}

/**
 * The matrix of a compressed tensor. Its last side are the outputs, the sides before it the inputs: a tf.layers kernel
 * `[in, out]`, or `[height, width, in, out]` of a convolution, one product per output position (`convolution.ts`).
 *
 * `bias`: `"host"` leaves it out, for the caller to add in full precision; `"column"` stores it as EIE does, each value as the nearest
 * weight of the codebook.
 */
export function fromCompressed(
  layer: CompressedLayer,
  { bias = "host", machine = EIE }: { readonly bias?: "host" | "column"; readonly machine?: EieMachine } = {},
): EieLayer {
  const { name, shape, codebook, entries } = layer;
  if (shape.length < 2) throw invalidEie(name, `expected a matrix or filters, got shape [${shape.join(", ")}]`);
  const size = sizeOf(shape);
  const outputs = shape.at(-1) ?? 0;
  return encodeLayer(
    {
      name,
      inputs: size / outputs,
      outputs,
      codes: decodeRelative(entries, size, name),
      biasCodes: bias === "column" && layer.bias !== null ? nearestCodes(layer.bias, codebook) : null,
      codebook: withinBits(name, layer, machine),
    },
    machine,
  );
}

/** Codebooks of more bits than the machine's pass when the codes that are used fit. */
function withinBits(name: string, { codebook, entries }: CompressedLayer, { codeBits }: EieMachine): Float32Array {
  const limit = 2 ** codeBits;
  if (codebook.length <= limit) return codebook;
  const highest = entries.codes.reduce((most, code) => Math.max(most, code), 0);
  if (highest < limit) return codebook.slice(0, limit);
  throw invalidEie(
    name,
    `uses code ${highest}, the machine's codes have ${codeBits} bits; share with at most ${codeBits} bits`,
  );
}

export function nearestCodes(values: Float32Array, codebook: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => {
    let nearest = 0;
    codebook.forEach((weight, code) => {
      if (Math.abs(weight - value) < Math.abs((codebook[nearest] ?? 0) - value)) nearest = code;
    });
    return nearest;
  });
}
