/**
 * MACs by what their operands were, exactly and without visiting them: element k of the patches meets element k of every filter, so
 * the MACs at k with two non-zero operands are (patches not zero at k) × (filters not zero at k).
 */
import type { PatchCounts } from "./patches.ts";
import type { MacCounts } from "./records.ts";

/** @param weights [depth, filters], where depth is that of the patches and `filters` those that read one of its elements */
export function countMacs({ pixels, nonZero, padding }: PatchCounts, weights: Float32Array): MacCounts {
  const depth = nonZero.length;
  const filters = weights.length / depth;
  let [inputs, padded, zeroWeight, both] = [0, 0, 0, 0];
  for (let k = 0; k < depth; k++) {
    let present = 0;
    for (let at = k * filters; at < (k + 1) * filters; at++) if (weights[at] !== 0) present++;
    inputs += (nonZero[k] as number) * filters;
    padded += (padding[k] as number) * filters;
    zeroWeight += pixels * (filters - present);
    both += (nonZero[k] as number) * present;
  }
  const total = pixels * depth * filters;
  return { total, zeroInput: total - inputs - padded, padding: padded, zeroWeight, zeroOperand: total - both };
}

export function addMacs(a: MacCounts, b: MacCounts): MacCounts {
  return {
    total: a.total + b.total,
    zeroInput: a.zeroInput + b.zeroInput,
    padding: a.padding + b.padding,
    zeroWeight: a.zeroWeight + b.zeroWeight,
    zeroOperand: a.zeroOperand + b.zeroOperand,
  };
}
