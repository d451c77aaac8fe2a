/**
 * No local reuse: elements have no registers. Each MAC reads its weight from the buffer; an input is broadcast to elements of different
 * filters; products of different channels are added across the array, and sums return to the buffer.
 */
import { inputsOf, macsOf, outputsOf, weightsOf } from "../layer.ts";
import type { Dataflow } from "./dataflow.ts";
import { divisors } from "./parts.ts";
import { residences } from "./residence.ts";
import { rest } from "./reuse.ts";

export const noLocalReuse: Dataflow = {
  name: "no-local-reuse",
  title: "NLR",
  registerWords: 0,

  *reuses(layer, { rows, columns, bufferWords }) {
    const { batch, channels, groups, filterHeight, filterWidth, outputHeight, outputWidth } = layer;
    const filters = layer.filters / groups;
    const [macs, inputs] = [macsOf(layer), inputsOf(layer)];
    const usesOfWeight = batch * outputHeight * outputWidth;
    const usesOfInput = macs / inputs;
    for (const atOnce of divisors(filters, rows * columns)) {
      for (const added of divisors(channels, (rows * columns) / atOnce)) {
        for (const fetched of residences(layer, { e: 1, f: layer.outputWidth, n: 1 }, atOnce, bufferWords)) {
          const inputReads = Math.max(fetched.inputs, usesOfInput / atOnce);
          yield {
            inputs: { a: fetched.inputs, b: inputReads / fetched.inputs, c: rest(usesOfInput, inputReads), d: 1 },
            weights: { a: fetched.weights, b: usesOfWeight / fetched.weights, c: 1, d: 1 },
            sums: { a: 1, b: (channels / added) * filterHeight * filterWidth, c: added, d: 1 },
            words: { inputs, weights: weightsOf(layer), outputs: outputsOf(layer) },
            registers: "nothing",
          };
        }
      }
    }
  },
};
