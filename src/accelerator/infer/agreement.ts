/** How far the accelerator's outputs are from FP32. */

export interface Agreement {
  /** Largest absolute difference of any output, and the largest output in FP32. */
  readonly maxAbsDifference: number;
  readonly largest: number;
  /** Samples whose largest output is the same, of `samples`. */
  readonly sameTop1: number;
  readonly samples: number;
}

/** @param samples the outputs are `[samples, …]` */
export function compareOutputs(outputs: Float32Array, reference: Float32Array, samples: number): Agreement {
  const size = reference.length / samples;
  let [maxAbsDifference, largest, sameTop1] = [0, 0, 0];
  for (let i = 0; i < reference.length; i++) {
    const expected = reference[i] as number;
    maxAbsDifference = Math.max(maxAbsDifference, Math.abs((outputs[i] as number) - expected));
    largest = Math.max(largest, Math.abs(expected));
  }
  for (let at = 0; at < reference.length; at += size) {
    const [mine, theirs] = [outputs, reference].map((values) => argmax(values.subarray(at, at + size)));
    if (mine === theirs) sameTop1++;
  }
  return { maxAbsDifference, largest, sameTop1, samples };
}

function argmax(values: Float32Array): number {
  return topOf(values, 1)[0]?.index ?? 0;
}

export interface Top {
  readonly index: number;
  readonly value: number;
}

/** The largest values, the largest first; of equal ones the first. */
export function topOf(values: ArrayLike<number>, count: number): Top[] {
  return Array.from(values, (value, index) => ({ index, value }))
    .toSorted((a, b) => b.value - a.value)
    .slice(0, count);
}
