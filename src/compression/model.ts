/**
 * A network after Deep Compression (Han, Mao, Dally, ICLR 2016): what is left of each weight tensor after pruning and weight
 * sharing. Everything here is plain typed arrays; `layer.ts` makes and decodes layers, `file/` stores models.
 */

/** One weight tensor, pruned and shared: the weights that are kept, in row-major order, each as a code and the gap before it. */
export interface CompressedLayer {
  /** Of the weight tensor: `conv1/kernel` in a tf.layers model, the layer's name in a flat file. */
  readonly name: string;
  /** Of the dense weights, in the order in which they are stored (tf.layers: `[height, width, in, out]`, `[in, out]`). */
  readonly shape: readonly number[];
  /** Bits of a code, 1 to 8. */
  readonly codeBits: number;
  /** Bits of a gap, 1 to 8. */
  readonly indexBits: number;
  /** 2^codeBits weights. Code 0 always stands for 0: fillers have it, and so has every weight that was pruned. */
  readonly codebook: Float32Array;
  readonly entries: Entries;
  /** Null where the model keeps it as a dense tensor of its own. */
  readonly bias: Float32Array | null;
}

/**
 * Kept weights as (code, gap) pairs, fillers included. A gap counts the zeros before its entry, so entry i lies at
 * `gaps[0] + … + gaps[i] + i`. Where more than 2^indexBits − 1 zeros follow each other, fillers (code 0, the largest gap) bridge them.
 */
export interface Entries {
  readonly codes: Uint8Array;
  /** As long as `codes`. */
  readonly gaps: Uint8Array;
}

/** A tensor that is kept as it is: biases, batch-normalization statistics, layers too small or too sensitive to compress. */
export interface DenseTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** All that is needed to have the network again. */
export interface CompressedModel {
  readonly name: string;
  readonly layers: readonly CompressedLayer[];
  readonly dense: readonly DenseTensor[];
  /** tf.layers model topology, the `modelTopology` of a saved model; null where there is none. */
  readonly topology: JsonObject | null;
  /** What the maker tells beside it: accuracies, options, provenance. Stored, never looked at. */
  readonly metadata: JsonObject;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Weights of a dense tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, side) => size * side, 1);
}
