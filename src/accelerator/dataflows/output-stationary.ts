/**
 * Output stationary: each element keeps one sum in its register until it is done. The three of ISCA 2016, section IV-B differ in which
 * outputs are worked on together: A, of one filter, many places (single output channel, multiple pixels); B, some filters,
 * some places; C, many filters, one place of one map. Weights are broadcast to the places, inputs to the filters; in A and B inputs also
 * move between neighbours, so that a word is read from the buffer once per tile however many filter taps use it.
 */
import { balanced } from "../eyeriss/search.ts";
import { inputsOf, type LayerShape, macsOf, outputsOf, weightsOf } from "../layer.ts";
import type { Dataflow, DataflowName } from "./dataflow.ts";
import { divisors } from "./parts.ts";
import { haloOf, type Residence, residences, type Tile, tilesOf } from "./residence.ts";
import { type LayerReuse, rest } from "./reuse.ts";

function outputStationary(
  name: DataflowName,
  title: string,
  arrangements: (layer: LayerShape, pes: number) => Iterable<{ atOnce: number; tile: Tile }>,
): Dataflow {
  return {
    name,
    title,
    registerWords: 1,
    *reuses(layer, { rows, columns, bufferWords }) {
      for (const { atOnce, tile } of arrangements(layer, rows * columns)) {
        for (const residence of residences(layer, tile, atOnce, bufferWords)) {
          yield reuseOf(layer, { atOnce, tile }, residence);
        }
      }
    },
  };
}

export const outputStationaryA: Dataflow = outputStationary("output-stationary-a", "OSA", function* places(layer, pes) {
  for (const tile of tilesWithin(layer, pes)) yield { atOnce: 1, tile };
});

export const outputStationaryB: Dataflow = outputStationary("output-stationary-b", "OSB", function* mixed(layer, pes) {
  const places = layer.batch * layer.outputHeight * layer.outputWidth;
  for (const atOnce of divisors(layer.filters / layer.groups, pes / 2)) {
    if (atOnce === 1) continue;
    for (const tile of tilesWithin(layer, Math.floor(pes / atOnce))) {
      // Where there is but one place, as in a fully connected layer of one map, it has to do.
      if (tile.e * tile.f * tile.n > 1 || places === 1) yield { atOnce, tile };
    }
  }
});

export const outputStationaryC: Dataflow = outputStationary(
  "output-stationary-c",
  "OSC",
  function* filters(layer, pes) {
    for (const atOnce of divisors(layer.filters / layer.groups, pes)) yield { atOnce, tile: { e: 1, f: 1, n: 1 } };
  },
);

function* tilesWithin({ outputHeight, outputWidth, batch }: LayerShape, places: number): Iterable<Tile> {
  for (const f of balanced(outputWidth, places)) {
    for (const e of balanced(outputHeight, Math.floor(places / f))) {
      for (const n of divisors(batch, places / (e * f))) yield { e, f, n };
    }
  }
}

function reuseOf(
  layer: LayerShape,
  { atOnce, tile }: { readonly atOnce: number; readonly tile: Tile },
  fetched: Residence,
): LayerReuse {
  const { batch, channels, filterHeight, filterWidth, outputHeight, outputWidth, filters, groups } = layer;
  const [macs, inputs] = [macsOf(layer), inputsOf(layer)];
  const tiles = tilesOf(layer, tile);
  const usesOfInput = macs / inputs;
  const usesOfWeight = batch * outputHeight * outputWidth;
  // Never fewer than come from DRAM, never more than there are uses.
  const inputReads = Math.max(fetched.inputs, Math.min(usesOfInput, haloOf(layer, tile) * (filters / groups / atOnce)));
  const weightReads = Math.max(fetched.weights, tiles);
  return {
    inputs: { a: fetched.inputs, b: inputReads / fetched.inputs, c: rest(usesOfInput, inputReads), d: 1 },
    weights: { a: fetched.weights, b: weightReads / fetched.weights, c: rest(usesOfWeight, weightReads), d: 1 },
    sums: { a: 1, b: 1, c: 1, d: channels * filterHeight * filterWidth },
    words: { inputs, weights: weightsOf(layer), outputs: outputsOf(layer) },
    registers: "inputs, weights and sums",
  };
}
