/** Things by a kernel of theirs, in one pass and without sorting. */
import type { Lists } from "./flat.ts";

/** List k holds those with `kernel + shift = k`. */
export function bucketed(kernels: Int32Array, count: number, shift: number): Lists {
  const start = new Int32Array(count + 2);
  for (let g = 0; g < kernels.length; g++) {
    const k = (kernels[g] as number) + shift + 1;
    start[k]! += 1;
  }
  for (let k = 0; k <= count; k++) start[k + 1]! += start[k] as number;
  const items = new Int32Array(kernels.length);
  const at = start.slice();
  for (let g = 0; g < kernels.length; g++) {
    const k = (kernels[g] as number) + shift;
    const i = at[k] as number;
    items[i] = g;
    at[k] = i + 1;
  }
  return { start, items };
}
