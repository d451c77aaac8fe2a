/**
 * k-means in one dimension. The weights are sorted once; then a cluster is a range of them, its borders lie half-way between centroids
 * and are found by bisection, and its mean comes from prefix sums. A round over millions of weights costs microseconds.
 */

export interface Clusters {
  /** Ascending. */
  readonly centroids: Float64Array;
  readonly rounds: number;
}

/**
 * @param sorted ascending
 * @param start centroids, ascending
 * @param maxRounds stops there even if borders still move
 */
export function lloyd(sorted: Float32Array, start: Float64Array, maxRounds: number): Clusters {
  const sums = prefixSums(sorted);
  const centroids = start.slice();
  const clusters = centroids.length;
  let borders = new Uint32Array(clusters + 1);
  for (let round = 0; round < maxRounds; round++) {
    const next = new Uint32Array(clusters + 1);
    next[clusters] = sorted.length;
    for (let k = 1; k < clusters; k++) {
      next[k] = firstAbove(sorted, ((centroids[k - 1] ?? 0) + (centroids[k] ?? 0)) / 2, next[k - 1] ?? 0);
    }
    if (round > 0 && next.every((border, k) => border === borders[k])) return { centroids, rounds: round };
    borders = next;
    for (let k = 0; k < clusters; k++) {
      const [from, to] = [borders[k] ?? 0, borders[k + 1] ?? 0];
      // An empty cluster stays where it is: its neighbours may yet leave it something.
      if (to > from) centroids[k] = ((sums[to] ?? 0) - (sums[from] ?? 0)) / (to - from);
    }
  }
  return { centroids, rounds: maxRounds };
}

/** Index of the first value above `limit`, from `from` on. */
export function firstAbove(sorted: Float32Array | Float64Array, limit: number, from = 0): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

function prefixSums(values: Float32Array): Float64Array {
  const sums = new Float64Array(values.length + 1);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] ?? 0;
    sums[i + 1] = sum;
  }
  return sums;
}
