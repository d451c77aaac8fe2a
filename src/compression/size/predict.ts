/**
 * Sizes of the published networks from their kept percent and bits. What the tables do not tell is how many fillers there are.
 * Three answers for the fully connected layers, in convolutions there are hardly any:
 *
 * - `bernoulli`: weights are kept independently, along the whole row of weights. A prediction.
 * - `interleaved`: the same for EIE's layout on 64 elements, where indices start anew in each column. A prediction; it gives
 *   AlexNet's fc6 and fc7 as printed, which the former misses by 8 %: presumably that is how the authors counted them.
 * - `fitted`: from the table's own P+Q column. That column is then a fit, and P+Q+H a prediction.
 *
 * Kept percent are printed as whole numbers, so that 4 % of VGG's fc6 may be off by an eighth.
 */
import { expectedEntriesPerWeight } from "../codecs/relative-index.ts";
import { codebookBits } from "./account.ts";
import type { PublishedLayer, PublishedNetwork } from "./published.ts";

export const FILLERS = ["bernoulli", "interleaved", "fitted"] as const;
export type Fillers = (typeof FILLERS)[number];

export interface PredictedSize {
  readonly name: string;
  /** Kept weights and fillers. */
  readonly entries: number;
  readonly bits: { readonly dense: number; readonly shared: number; readonly huffman: number };
}

/** Processing elements of EIE. */
const ELEMENTS = 64;

export function predictLayer(layer: PublishedLayer, fillers: Fillers): PredictedSize {
  const { name, weights, codeBits, codeBitsHuffman, indexBits, indexBitsHuffman } = layer;
  const entries = keptWeights(layer) * entriesPerWeight(layer, fillers);
  const codebook = codebookBits(codeBits);
  return {
    name,
    entries,
    bits: {
      dense: 32 * weights,
      shared: entries * (codeBits + indexBits) + codebook,
      huffman: entries * (codeBitsHuffman + indexBitsHuffman) + codebook,
    },
  };
}

export function predictNetwork({ name, layers }: PublishedNetwork, fillers: Fillers): PredictedSize {
  return total(
    name,
    layers.map((layer) => predictLayer(layer, fillers)),
  );
}

/** The sum of what the table prints per layer. Its own last row differs from it by up to 7 %. */
export function publishedRows({ name, layers }: PublishedNetwork): PredictedSize {
  const rows = layers.map((layer): PredictedSize => {
    const dense = 32 * layer.weights;
    const [shared, huffman] = [layer.ratePercent, layer.ratePercentHuffman].map((percent) => (dense * percent) / 100);
    return { name: layer.name, entries: 0, bits: { dense, shared: shared ?? 0, huffman: huffman ?? 0 } };
  });
  return total(name, rows);
}

function keptWeights({ weights, keptPercent }: PublishedLayer): number {
  return (weights * keptPercent) / 100;
}

function entriesPerWeight(layer: PublishedLayer, fillers: Fillers): number {
  const { weights, outputs, keptPercent, codeBits, indexBits, ratePercent } = layer;
  const density = keptPercent / 100;
  if (outputs === null || fillers === "bernoulli") return expectedEntriesPerWeight(density, indexBits);
  if (fillers === "interleaved") return expectedEntriesPerWeight(density, indexBits, outputs / ELEMENTS);
  const streams = (32 * weights * ratePercent) / 100 - codebookBits(codeBits);
  return streams / (codeBits + indexBits) / keptWeights(layer);
}

function total(name: string, parts: readonly PredictedSize[]): PredictedSize {
  const sum = (of: (part: PredictedSize) => number): number => parts.reduce((all, part) => all + of(part), 0);
  return {
    name,
    entries: sum(({ entries }) => entries),
    bits: {
      dense: sum(({ bits }) => bits.dense),
      shared: sum(({ bits }) => bits.shared),
      huffman: sum(({ bits }) => bits.huffman),
    },
  };
}
