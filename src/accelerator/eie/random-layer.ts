/**
 * Seeded random layers: every weight is non-zero with a given probability, independent of all others, and of the activations a
 * given share is, at random places.
 */
import type { CscElement } from "../../compression/codecs/csc.ts";
import { deriveSeed, mulberry32 } from "../../networks/data.ts";
import { invalidEie } from "./invalid.ts";
import { columnsOf, type EieLayer, rowsOf } from "./layer.ts";
import { EIE, type EieMachine } from "./machine.ts";

export interface RandomLayer {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Shares that are not zero, above 0 to 1. */
  readonly weightDensity: number;
  readonly activationDensity: number;
  /** Default true: a column that is dense, as biases are not pruned. */
  readonly bias?: boolean;
  /** Default 1. */
  readonly seed?: number;
  readonly machine?: EieMachine;
}

export function randomLayer(options: RandomLayer): { readonly layer: EieLayer; readonly activations: Float32Array } {
  const { name, inputs, outputs, weightDensity, activationDensity, bias = true, seed = 1, machine = EIE } = options;
  checkDensity(name, weightDensity);
  checkDensity(name, activationDensity);
  const random = mulberry32(deriveSeed(seed, `${name}/activations`));
  const activations = randomActivations(inputs, Math.round(activationDensity * inputs), random);
  const codebook = Float32Array.from({ length: 2 ** machine.codeBits }, (_, code) => (code === 0 ? 0 : random() - 0.5));
  const empty: EieLayer = { name, inputs, outputs, bias, codebook, pes: Array.from({ length: machine.pes }) };
  const pes = empty.pes.map((_, pe) =>
    randomElement(empty, pe, weightDensity, deriveSeed(seed, `${name}/${pe}`), machine),
  );
  return { layer: { ...empty, pes }, activations };
}

/** Exactly `count` that are not zero, 0 to 1 (Knuth's selection sampling). */
function randomActivations(length: number, count: number, random: () => number): Float32Array {
  let left = count;
  return Float32Array.from({ length }, (_, at) => {
    if (random() * (length - at) >= left) return 0;
    left--;
    return 1 - random();
  });
}

/** Draws the gaps between weights rather than every weight: they are distributed geometrically. */
function randomElement(layer: EieLayer, pe: number, density: number, seed: number, machine: EieMachine): CscElement {
  const random = mulberry32(seed);
  const rows = rowsOf(layer, pe);
  const columns = columnsOf(layer);
  const span = 2 ** machine.zeroRunBits;
  const pointers = new Uint32Array(columns + 1);
  const codes: number[] = [];
  const gaps: number[] = [];
  for (let column = 0; column < columns; column++) {
    const perGap = column < layer.inputs ? Math.log1p(-density) : Number.NEGATIVE_INFINITY;
    for (let row = 0; ; row++) {
      let gap = Math.floor(Math.log(1 - random()) / perGap);
      row += gap;
      if (row >= rows) break;
      for (; gap >= span; gap -= span) {
        codes.push(0);
        gaps.push(span - 1);
      }
      codes.push(1 + Math.floor(random() * (layer.codebook.length - 1)));
      gaps.push(gap);
    }
    pointers[column + 1] = codes.length;
  }
  return { pointers, entries: { codes: Uint8Array.from(codes), gaps: Uint8Array.from(gaps) } };
}

function checkDensity(name: string, density: number): void {
  if (density > 0 && density <= 1) return;
  throw invalidEie(name, `expected densities above 0 and up to 1, got ${density}`);
}
