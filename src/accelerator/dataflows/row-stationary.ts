/**
 * Row stationary on an array with one register file per element and one buffer for all: rows of filters, inputs and sums stay in an
 * element, by the same letters as in eyeriss/mapping.ts. Two rules make it the paper's: a set that is wider than the array is folded
 * into as few strips as fit, evenly; and what a trip through the buffer works on (m filters, q r channels, n maps) is there whole.
 */
import { inputSpan, partsOf, setsThatFit } from "../eyeriss/mapping.ts";
import { inputsOf, type LayerShape, macsOf, outputsOf, weightsOf } from "../layer.ts";
import type { ArraySize, Dataflow } from "./dataflow.ts";
import { divisors, greatestDivisor } from "./parts.ts";
import { type LayerReuse, rest } from "./reuse.ts";

export const rowStationary: Dataflow = {
  name: "row-stationary",
  title: "RS",
  registerWords: 256,

  *reuses(layer, array) {
    const fold = foldOf(layer, array);
    if (fold === null) return;
    const { groups, batch, filterHeight, filterWidth, outputWidth, stride } = layer;
    const filters = layer.filters / groups;
    const rows = inputSpan(fold.e, filterHeight, stride) * inputSpan(outputWidth, filterWidth, stride);
    for (const element of elements(layer, array, fold.sets)) {
      const { p, q, r, t } = element;
      for (const n of divisors(batch)) {
        const room = array.bufferWords - n * q * r * rows;
        const wordsOfFilter = n * fold.e * outputWidth + q * r * filterHeight * filterWidth;
        const inBuffer = greatestDivisor(filters / (p * t), room / (wordsOfFilter * p * t));
        if (inBuffer > 0) yield reuseOf(layer, fold, { ...element, n, m: inBuffer * p * t });
      }
    }
  },
};

interface Fold {
  readonly e: number;
  readonly strips: number;
  readonly sets: number;
}

/** Null where a filter has more rows than the array. */
function foldOf({ filterHeight, outputHeight }: LayerShape, array: ArraySize): Fold | null {
  if (filterHeight > array.rows) return null;
  for (let strips = 1; ; strips++) {
    const e = Math.ceil(outputHeight / strips);
    const sets = setsThatFit(filterHeight, e, array);
    if (sets > 0) return { e, strips, sets };
  }
}

interface Element {
  readonly p: number;
  readonly q: number;
  readonly r: number;
  readonly t: number;
}

/** Replications of the set, and what takes turns in an element's registers: p q S words of filters, q S of inputs, p sums. */
function* elements(layer: LayerShape, { registerWords }: ArraySize, sets: number): Iterable<Element> {
  const { channels, groups, filterWidth } = layer;
  const filters = layer.filters / groups;
  for (const t of divisors(filters, sets)) {
    for (const r of divisors(channels, sets / t)) {
      for (const q of divisors(channels / r, registerWords / filterWidth)) {
        const most = (registerWords - q * filterWidth) / (q * filterWidth + 1);
        for (const p of divisors(filters / t, most)) yield { p, q, r, t };
      }
    }
  }
}

function reuseOf(layer: LayerShape, { e, strips }: Fold, pass: Element & { n: number; m: number }): LayerReuse {
  const { m, n, p, q, r, t } = pass;
  const { batch, channels, groups, filterHeight, filterWidth, outputHeight, outputWidth, inputHeight, stride } = layer;
  const [macs, inputs, weights] = [macsOf(layer), inputsOf(layer), weightsOf(layer)];
  const filters = layer.filters / groups;
  let rows = 0;
  for (const { count, size } of partsOf(outputHeight, e)) rows += count * inputSpan(size, filterHeight, stride);
  const ofInputs = {
    a: (filters / m) * (rows / inputHeight),
    b: m / (p * t),
    // Elements on the diagonals of a set that an input row goes to, on average, in each of t sets.
    c: (t * outputHeight * filterHeight) / rows,
  };
  const ofWeights = { a: (batch / n) * strips, b: 1, c: outputHeight / strips };
  const ofSums = { a: 1, b: channels / (q * r), c: filterHeight * r };
  return {
    inputs: { ...ofInputs, d: rest(macs / inputs, ofInputs.a, ofInputs.b, ofInputs.c) },
    weights: { ...ofWeights, d: rest(batch * outputHeight * outputWidth, ofWeights.a, ofWeights.c) },
    sums: { ...ofSums, d: rest(channels * filterHeight * filterWidth, ofSums.b, ofSums.c) },
    words: { inputs, weights, outputs: outputsOf(layer) },
    registers: "inputs, weights and sums",
  };
}
