/** Sparse random data for tests, seeded: values that are not zero with a given probability. */
import fc from "fast-check";
import { mulberry32 } from "../../src/networks/data.ts";

/** Densities of the issue, ends included, with lengths that leave words and masks partly full. */
export const sparseShape = fc.record({
  seed: fc.integer(),
  density: fc.double({ min: 0.01, max: 1, noNaN: true }),
  length: fc.integer({ min: 0, max: 3000 }),
});

export interface SparseShape {
  readonly seed: number;
  readonly density: number;
  readonly length: number;
}

/** Integers below `limit`, 0 for the share that is not kept. */
export function sparseIntegers({ seed, density, length }: SparseShape, limit: number): number[] {
  const random = mulberry32(seed);
  return Array.from({ length }, () => (random() < density ? 1 + Math.floor(random() * (limit - 1)) : 0));
}

/** Weights around zero, more small ones than large ones. */
export function sparseWeights({ seed, density, length }: SparseShape): Float32Array {
  const random = mulberry32(seed);
  return Float32Array.from({ length }, () => {
    const weight = (random() + random() + random() - 1.5) / 5;
    return random() < density ? weight : 0;
  });
}
