/** Magnitude pruning (Han et al., "Learning both weights and connections", NIPS 2015): which weights of a layer stay. */
import { invalidOption } from "./invalid.ts";
import { checkFinite } from "./sharing/share.ts";

/** 1 for a weight that stays, 0 for one that goes. */
export type Mask = Uint8Array;

export type PruneRule =
  /** The largest so many, in shares of all weights, 0 to 1. */
  | { readonly kind: "kept"; readonly share: number }
  /** Those above it. 0 prunes what is zero already; a small value also what is near it. */
  | { readonly kind: "threshold"; readonly magnitude: number }
  /** Those above `quality` standard deviations of the layer's weights, section 3.1 of the paper; weights that are zero do not count. */
  | { readonly kind: "quality"; readonly quality: number };

/** @throws VdnnError `ERR_INVALID_OPTION`; `ERR_INVALID_MODEL` for weights that are not finite */
export function pruneMask(weights: Float32Array, rule: PruneRule, name = "weights"): Mask {
  checkFinite(weights, name);
  switch (rule.kind) {
    case "kept":
      return largest(weights, rule.share);
    case "threshold":
      return above(weights, checkedLimit("threshold", rule.magnitude));
    case "quality":
      return above(weights, checkedLimit("quality", rule.quality) * standardDeviation(weights));
    default:
      return rule satisfies never;
  }
}

/** The weights that stay, zeros for the others. */
export function applyMask(weights: Float32Array, mask: Mask): Float32Array {
  return weights.map((weight, i) => (mask[i] === 0 ? 0 : weight));
}

export function countKept(mask: Mask): number {
  let kept = 0;
  for (const bit of mask) kept += bit;
  return kept;
}

/** Of the weights that are not zero, so that a second round with the same quality prunes further. */
export function standardDeviation(weights: Float32Array): number {
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (const weight of weights) {
    if (weight === 0) continue;
    count++;
    sum += weight;
    squares += weight * weight;
  }
  if (count === 0) return 0;
  return Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
}

function above(weights: Float32Array, limit: number): Mask {
  const mask = new Uint8Array(weights.length);
  for (let i = 0; i < weights.length; i++) mask[i] = Math.abs(weights[i] ?? 0) > limit ? 1 : 0;
  return mask;
}

/** Exactly `share` of them, rounded; of equal magnitudes the first stay. */
function largest(weights: Float32Array, share: number): Mask {
  if (!(share >= 0 && share <= 1)) throw invalidOption("kept", `expected a share from 0 to 1, got ${share}`);
  const mask = new Uint8Array(weights.length);
  const count = Math.round(share * weights.length);
  if (count === 0) return mask;
  const bits = magnitudeBits(weights);
  const { limit, ties } = selectLargest(bits, count);
  let left = ties;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i] ?? 0;
    if (magnitude > limit || (magnitude === limit && left-- > 0)) mask[i] = 1;
  }
  return mask;
}

/** The bits of a float without its sign, as an integer, order magnitudes. */
function magnitudeBits(weights: Float32Array): Uint32Array {
  return new Uint32Array(weights.slice().buffer).map((bits) => bits & 0x7fffffff);
}

/**
 * The count-th largest of `bits`, and how many that equal it are among the count: found by counting the upper half-words,
 * then the lower ones where the upper decide nothing. No sort, so that 38 million weights take a fraction of a second.
 */
function selectLargest(bits: Uint32Array, count: number): { limit: number; ties: number } {
  const upper = new Uint32Array(1 << 16);
  for (const value of bits) upper[value >>> 16]! += 1;
  const high = descend(upper, count);
  const lower = new Uint32Array(1 << 16);
  for (const value of bits) if (value >>> 16 === high.bin) lower[value & 0xffff]! += 1;
  const low = descend(lower, high.left);
  return { limit: high.bin * 2 ** 16 + low.bin, ties: low.left };
}

/** The bin, from the highest down, in which the count-th lies, and how many of it belong to the count. */
function descend(bins: Uint32Array, count: number): { bin: number; left: number } {
  let left = count;
  let bin = bins.length - 1;
  for (; bin > 0 && (bins[bin] ?? 0) < left; bin--) left -= bins[bin] ?? 0;
  return { bin, left };
}

function checkedLimit(option: string, value: number): number {
  if (!(value >= 0 && Number.isFinite(value))) {
    throw invalidOption(option, `expected a finite number that is not negative, got ${value}`);
  }
  return value;
}
