/**
 * What the host is left with, as a stated cost: operations and MACs that were counted, and the energy of their arithmetic in FP32 by
 * the table at hand. The host has no model here, so no time, and no energy of its memories or its instructions.
 */
import type { HostOp } from "../backend/records.ts";
import type { AcceleratorEnergy } from "../energy.ts";

export interface HostCost {
  readonly kernel: string;
  /** In the order in which they ran. */
  readonly layers: readonly string[];
  readonly calls: number;
  /** One operation per element of the largest operand or result. */
  readonly operations: number;
  readonly macs: number;
  /** Why the accelerator does not run it; null for what is the host's anyway. */
  readonly reason: string | null;
  readonly arithmeticPj: number;
}

/** Products each on their own, other operations together by kernel; products first. */
export function hostCosts(ops: readonly HostOp[], { multiplyPj, addPj }: AcceleratorEnergy): HostCost[] {
  const groups = new Map<string, HostOp[]>();
  for (const op of ops) {
    const key = op.reason === null ? op.kernel : JSON.stringify([op.kernel, op.layer, op.reason]);
    groups.set(key, [...(groups.get(key) ?? []), op]);
  }
  const costs = [...groups.values()].map((group): HostCost => {
    const sum = (of: (op: HostOp) => number): number => group.reduce((total, op) => total + of(op), 0);
    const [operations, macs] = [
      sum(({ elements, macs: products }) => (products > 0 ? 0 : elements)),
      sum((op) => op.macs),
    ];
    const first = group[0] as HostOp;
    return {
      kernel: first.kernel,
      layers: [...new Set(group.flatMap(({ layer }) => layer ?? []))],
      calls: group.length,
      operations,
      macs,
      reason: first.reason,
      arithmeticPj: macs * (multiplyPj.fp32 + addPj.fp32) + operations * addPj.fp32,
    };
  });
  return [...costs.filter(({ reason }) => reason !== null), ...costs.filter(({ reason }) => reason === null)];
}
