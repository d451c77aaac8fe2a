/** Where k-means begins (Han et al., ICLR 2016, section 3.2): the large weights are few but matter most, which favours the linear start. */
import { mulberry32 } from "../../networks/data.ts";

export const INITIALIZATIONS = ["linear", "density", "random"] as const;

/**
 * `linear`: at even steps from the smallest weight to the largest. `density`: at even steps of the cumulative distribution.
 * `random`: at weights drawn without replacement (Forgy).
 */
export type Initialization = (typeof INITIALIZATIONS)[number];

/**
 * @param sorted weights, ascending, at least `clusters` of them
 * @param seed for `random`
 * @returns `clusters` centroids, ascending
 */
export function initialCentroids(
  sorted: Float32Array,
  clusters: number,
  initialization: Initialization,
  seed: number,
): Float64Array {
  const centroids = new Float64Array(clusters);
  switch (initialization) {
    case "linear": {
      const first = sorted[0] ?? 0;
      const range = (sorted.at(-1) ?? 0) - first;
      const middle = first + range / 2;
      return centroids.map((_, i) => (clusters === 1 ? middle : first + (range * i) / (clusters - 1)));
    }
    case "density":
      return centroids.map((_, i) => sorted[Math.floor(((i + 0.5) / clusters) * sorted.length)] ?? 0);
    case "random":
      return centroids
        .map(
          (
            (drawn) => (_, i) =>
              sorted[drawn[i] ?? 0] ?? 0
          )(draw(sorted.length, clusters, seed)),
        )
        .sort();
    default:
      return initialization satisfies never;
  }
}

/** Different numbers below `below`, as many as `count`. */
function draw(below: number, count: number, seed: number): number[] {
  const random = mulberry32(seed);
  const drawn = new Set<number>();
  // Floyd's sampling: each round adds exactly one.
  for (let top = below - count; top < below; top++) {
    const at = Math.floor(random() * (top + 1));
    drawn.add(drawn.has(at) ? top : at);
  }
  return [...drawn];
}
