/**
 * How often inputs and weights come from DRAM where sums never leave the array: one of both stays in the buffer while the other
 * streams past it. Shared by the output-stationary dataflows and by no local reuse.
 */
import { inputSpan, partsOf } from "../eyeriss/mapping.ts";
import type { LayerShape } from "../layer.ts";
import { divisors, greatestDivisor } from "./parts.ts";

/** Outputs of one filter that are worked on at once: rows, columns and maps. */
export interface Tile {
  readonly e: number;
  readonly f: number;
  readonly n: number;
}

export interface Residence {
  /** Fetches of each word from DRAM, borders of tiles included. */
  readonly inputs: number;
  readonly weights: number;
}

export function tilesOf({ batch, outputHeight, outputWidth }: LayerShape, { e, f, n }: Tile): number {
  return Math.ceil(batch / n) * Math.ceil(outputHeight / e) * Math.ceil(outputWidth / f);
}

/** Words of input that tiles of this size read, over those that there are. */
export function haloOf(layer: LayerShape, { e, f }: Tile): number {
  const { outputHeight, outputWidth, filterHeight, filterWidth, inputHeight, inputWidth, stride } = layer;
  const span = (total: number, size: number, filter: number): number =>
    partsOf(total, size).reduce((sum, part) => sum + part.count * inputSpan(part.size, filter, stride), 0);
  return (span(outputHeight, e, filterHeight) * span(outputWidth, f, filterWidth)) / (inputHeight * inputWidth);
}

/** @param atOnce filters that are worked on together */
export function* residences(layer: LayerShape, tile: Tile, atOnce: number, bufferWords: number): Iterable<Residence> {
  const { channels, filterHeight, filterWidth, inputWidth, stride, groups, batch, outputHeight } = layer;
  const filters = layer.filters / groups;
  const wordsOfFilter = channels * filterHeight * filterWidth;
  const wordsOfRows = (e: number, n: number): number => channels * n * inputSpan(e, filterHeight, stride) * inputWidth;

  // Some rows, or some maps, stay with all their channels, and every filter passes by, `atOnce` of them at a time.
  for (const n of divisors(batch)) {
    if (n < tile.n) continue;
    for (const strips of n === tile.n ? [1, 2, 4, 8, 16] : [1]) {
      const e = Math.ceil(outputHeight / strips);
      if (e < tile.e || wordsOfRows(e, n) + atOnce * wordsOfFilter > bufferWords) continue;
      const inputs = haloOf(layer, { e, f: layer.outputWidth, n });
      yield { inputs, weights: (batch / n) * Math.ceil(outputHeight / e) };
    }
  }
  // Some filters stay, and every input passes by, a row of tiles at a time.
  const kept = greatestDivisor(filters, (bufferWords - wordsOfRows(tile.e, tile.n)) / wordsOfFilter);
  if (kept >= atOnce) yield { inputs: filters / kept, weights: 1 };
  // Neither: both come for every tile and group of filters.
  yield { inputs: haloOf(layer, tile) * (filters / atOnce), weights: tilesOf(layer, tile) };
}
