/**
 * What compression saves, as the tables of Han et al., ICLR 2016, count it: codes, gaps and the codebook; not Huffman's tables
 * and not biases. "P+Q" is pruned and quantized, "P+Q+H" with Huffman coding of both streams.
 */
import { huffmanBitsOf } from "../codecs/huffman.ts";
import { relativeIndexBits } from "../codecs/relative-index.ts";
import { type CompressedLayer, type CompressedModel, sizeOf } from "../model.ts";

export interface LayerSize {
  readonly name: string;
  /** Of the dense tensor. */
  readonly weights: number;
  readonly kept: number;
  /** Kept weights and fillers. */
  readonly entries: number;
  /** Bits per code: fixed, and on average after Huffman coding. */
  readonly weightBits: number;
  readonly weightBitsHuffman: number;
  readonly indexBits: number;
  readonly indexBitsHuffman: number;
  /** Of all weights: as floats, pruned and shared, and Huffman-coded. */
  readonly bits: { readonly dense: number; readonly shared: number; readonly huffman: number };
}

export interface ModelSize {
  readonly layers: readonly LayerSize[];
  readonly weights: number;
  readonly kept: number;
  readonly bits: LayerSize["bits"];
}

/** Bits of a codebook of floats. */
export function codebookBits(codeBits: number): number {
  return 32 * 2 ** codeBits;
}

export function layerSize({ name, shape, codeBits, indexBits, entries: { codes, gaps } }: CompressedLayer): LayerSize {
  const weights = sizeOf(shape);
  const entries = codes.length;
  const codedCodes = huffmanBitsOf(codes, 2 ** codeBits);
  const codedGaps = huffmanBitsOf(gaps, 2 ** indexBits);
  const codebook = codebookBits(codeBits);
  let kept = 0;
  for (const code of codes) if (code !== 0) kept++;
  return {
    name,
    weights,
    kept,
    entries,
    weightBits: codeBits,
    weightBitsHuffman: entries === 0 ? 0 : codedCodes / entries,
    indexBits,
    indexBitsHuffman: entries === 0 ? 0 : codedGaps / entries,
    bits: {
      dense: 32 * weights,
      shared: relativeIndexBits(entries, codeBits, indexBits) + codebook,
      huffman: codedCodes + codedGaps + codebook,
    },
  };
}

export function modelSize({ layers }: Pick<CompressedModel, "layers">): ModelSize {
  return totalSize(layers.map(layerSize));
}

export function totalSize(layers: readonly LayerSize[]): ModelSize {
  const sum = (of: (layer: LayerSize) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  return {
    layers,
    weights: sum(({ weights }) => weights),
    kept: sum(({ kept }) => kept),
    bits: {
      dense: sum(({ bits }) => bits.dense),
      shared: sum(({ bits }) => bits.shared),
      huffman: sum(({ bits }) => bits.huffman),
    },
  };
}

/** Compressed size in shares of the dense one: the paper's "compress rate". Its inverse is the ratio that the paper gives as "35×". */
export function rates({ bits }: Pick<ModelSize, "bits">): { shared: number; huffman: number } {
  return { shared: bits.shared / bits.dense, huffman: bits.huffman / bits.dense };
}
