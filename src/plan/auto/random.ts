/** Seeded random numbers (mulberry32): the same seed gives the same plan everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number from 0 up to `end`, which is not included. */
export function below(end: number, random: () => number): number {
  return Math.floor(random() * end);
}

/** One of a list; undefined of none. */
export function oneOf<T>(list: readonly T[], random: () => number): T | undefined {
  return list[below(list.length, random)];
}
