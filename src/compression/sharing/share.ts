/**
 * Weight sharing (Han et al., ICLR 2016, section 3): the weights of a layer that are not zero fall into clusters, and each is replaced by
 * its cluster's centroid. Code 0 stands for zero, as in EIE, so that b bits hold 2^b − 1 centroids.
 */
import { invalidModel, invalidOption } from "../invalid.ts";
import { initialCentroids, type Initialization } from "./initial.ts";
import { firstAbove, lloyd } from "./lloyd.ts";

export interface ShareOptions {
  /** Bits of a code, 1 to 8. */
  readonly codeBits: number;
  /** Centroids; at most, and by default, 2^codeBits − 1. */
  readonly clusters?: number;
  /** Default `linear`, the paper's best. */
  readonly initialization?: Initialization;
  /** Of the `random` initialization. Default 1. */
  readonly seed?: number;
  /** Limit on rounds of k-means. Default 300; convergence usually takes fewer. */
  readonly maxRounds?: number;
}

export interface SharedWeights {
  /** 2^codeBits weights: 0, the centroids in ascending order, and zeros where there are fewer. */
  readonly codebook: Float32Array;
  /** One per weight. */
  readonly codes: Uint8Array;
  readonly rounds: number;
  /** Mean over all weights of the squared change. */
  readonly meanSquaredError: number;
}

/**
 * @param name of the tensor, for messages
 * @throws VdnnError `ERR_INVALID_OPTION` where the bits cannot hold the centroids; `ERR_INVALID_MODEL` for weights that are not finite
 */
export function shareWeights(weights: Float32Array, options: ShareOptions, name = "weights"): SharedWeights {
  const { codeBits, initialization = "linear", seed = 1, maxRounds = 300 } = options;
  const clusters = checkedClusters(options);
  checkFinite(weights, name);
  const sorted = weights.filter((weight) => weight !== 0).sort();
  const distinct = distinctUpTo(sorted, clusters);
  const { centroids, rounds } =
    distinct.length <= clusters
      ? { centroids: distinct, rounds: 0 }
      : lloyd(sorted, initialCentroids(sorted, clusters, initialization, seed), maxRounds);

  const codebook = new Float32Array(2 ** codeBits);
  codebook.set(Float32Array.from(centroids), 1);
  const codes = assignCodes(weights, codebook.subarray(1, 1 + centroids.length));
  let squares = 0;
  for (let i = 0; i < weights.length; i++) squares += ((weights[i] ?? 0) - (codebook[codes[i] ?? 0] ?? 0)) ** 2;
  return { codebook, codes, rounds, meanSquaredError: weights.length === 0 ? 0 : squares / weights.length };
}

/** For every weight 1 + the index of the nearest centroid, the lower of two; 0 for a weight of 0. Centroids ascend. */
export function assignCodes(weights: Float32Array, centroids: Float32Array): Uint8Array {
  const borders = Float64Array.from(centroids.subarray(1), (centroid, k) => (centroid + (centroids[k] ?? 0)) / 2);
  const codes = new Uint8Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    // A weight on a border belongs to the cluster below it.
    if (weight !== 0) codes[i] = 1 + firstNotBelow(borders, weight);
  }
  return codes;
}

/** The dense weights that codes stand for. */
export function lookUp(codes: Uint8Array, codebook: Float32Array): Float32Array {
  const weights = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) weights[i] = codebook[codes[i] ?? 0] ?? 0;
  return weights;
}

/**
 * The gradient of each centroid, the sum over the weights that share it (ICLR 2016, section 3.3, equation 3); 0 for code 0, which
 * stays zero.
 *
 * @param entries of the codebook
 */
export function centroidGradients(codes: Uint8Array, gradients: Float32Array, entries: number): Float32Array {
  if (codes.length !== gradients.length) {
    throw invalidModel("gradients", `expected one for each of ${codes.length} weights, got ${gradients.length}`);
  }
  const sums = new Float64Array(entries);
  for (let i = 0; i < codes.length; i++) sums[codes[i] ?? 0]! += gradients[i] ?? 0;
  sums[0] = 0;
  return Float32Array.from(sums);
}

/** @throws VdnnError `ERR_INVALID_MODEL` */
export function checkFinite(values: Float32Array, name: string): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw invalidModel(
      name,
      `expected finite values, found ${values[at]} at ${at}; the model has diverged or is damaged`,
    );
  }
}

function checkedClusters({ codeBits, clusters }: ShareOptions): number {
  if (!Number.isInteger(codeBits) || codeBits < 1 || codeBits > 8) {
    throw invalidOption("codeBits", `expected a whole number from 1 to 8, got ${codeBits}`);
  }
  const most = 2 ** codeBits - 1;
  const wanted = clusters ?? most;
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw invalidOption("clusters", `expected a positive whole number, got ${wanted}`);
  }
  if (wanted > most) {
    const enough = Math.ceil(Math.log2(wanted + 1));
    throw invalidOption(
      "codeBits",
      `${codeBits} bits hold ${most} centroids beside zero, but ${wanted} are asked for; ` +
        (enough <= 8 ? `use ${enough} bits or at most ${most} clusters` : "use at most 8 bits and 255 clusters"),
      { codeBits, clusters: wanted },
    );
  }
  return wanted;
}

/** The different values of `sorted`, but no more than `limit` + 1. */
function distinctUpTo(sorted: Float32Array, limit: number): Float64Array {
  const distinct: number[] = [];
  for (let at = 0; at < sorted.length && distinct.length <= limit; at = firstAbove(sorted, sorted[at] ?? 0, at)) {
    distinct.push(sorted[at] ?? 0);
  }
  return Float64Array.from(distinct);
}

function firstNotBelow(borders: Float64Array, weight: number): number {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((borders[middle] ?? 0) >= weight) high = middle;
    else low = middle + 1;
  }
  return low;
}
