/** Loops are cut into whole parts here, as in the paper's analysis: a size of a part divides the length. */

/** Ascending; none above `most`. */
export function divisors(length: number, most: number = length): number[] {
  const sizes: number[] = [];
  for (let size = 1; size <= Math.min(length, most); size++) if (length % size === 0) sizes.push(size);
  return sizes;
}

/** The greatest divisor that is not above `most`; 0 where `most` is less than 1. */
export function greatestDivisor(length: number, most: number): number {
  return divisors(length, most).at(-1) ?? 0;
}
