/** How fine `performance.now` is here: browsers coarsen it, to 0.1 ms on pages that share a process. */

const OBSERVATIONS = 5;

/** The smallest of a few steps of the clock, ms. */
export function clockResolution(now: () => number = () => performance.now()): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < OBSERVATIONS; i++) {
    const from = now();
    let to = now();
    while (to === from) to = now();
    smallest = Math.min(smallest, to - from);
  }
  return smallest;
}
