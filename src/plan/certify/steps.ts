/** From a solution of the exact model back to a list of steps, which anybody can validate and time. */
import type { Graph } from "../../graph/graph.ts";
import type { PlanStep } from "../plan.ts";
import type { Lives } from "./lives.ts";

interface Issue {
  readonly ms: number;
  /** Place in the order of all copies in; for copies out, from the last. */
  readonly rank: number;
  readonly step: PlanStep;
}

/** Times within HiGHS's tolerance are one time. */
const EPSILON = 1e-5;

/** @param values of the model's variables, with times in the model's unit */
export function stepsOf(graph: Graph, lives: Lives, values: ReadonlyMap<string, number>, timeMs: number): PlanStep[] {
  const { versions, gaps, dead } = lives;
  const n = graph.kernels.length;
  const value = (name: string): number => values.get(name) ?? 0;
  const isSet = (name: string): boolean => value(name) > 0.5;
  const end = (k: number): number => value(`S_${k}`) + (graph.kernels[k]?.ms ?? 0) / timeMs;
  const slotOf = (g: number): number => [...Array(n).keys()].find((k) => isSet(`p_${g}_${k}`)) ?? gaps[g]?.before ?? 0;
  const used = [...gaps.keys()].filter((g) => isSet(`x_${g}`));
  const issues: Issue[][] = Array.from({ length: n }, () => []);
  const frees: number[][] = dead.map((tensors) => [...tensors]);
  for (const g of used) {
    const gap = gaps[g];
    if (gap === undefined) continue;
    const tensor = versions[gap.version]?.tensor ?? -1;
    frees[gap.after]?.push(tensor);
    const earlier = used.filter((h) => (h < g ? isSet(`z_${h}_${g}`) : h > g && !isSet(`z_${g}_${h}`))).length;
    issues[slotOf(g)]?.push({ ms: value(`P_${g}`), rank: earlier, step: { kind: "prefetch", tensor } });
  }
  // A copy out stands before the copies in that read it, and so do those that go out before it, though all may start later.
  const outs = [...new Set(used.map((g) => gaps[g]?.version ?? -1))].toSorted(
    (a, b) => value(`O_${b}`) - value(`O_${a}`),
  );
  let [lastSlot, lastMs] = [n - 1, Number.POSITIVE_INFINITY];
  for (const version of outs) {
    const { tensor = -1, writer = -1 } = versions[version] ?? {};
    const start = value(`O_${version}`);
    let slot = writer + 1;
    while (slot < n - 1 && end(slot) <= start + EPSILON) slot++;
    for (const g of used) {
      if (gaps[g]?.version !== version) continue;
      lastSlot = Math.min(lastSlot, slotOf(g));
      lastMs = Math.min(lastMs, value(`P_${g}`));
    }
    [lastSlot, lastMs] = [Math.min(lastSlot, slot), Math.min(lastMs, start)];
    const step: PlanStep = { kind: "offload", tensor, tier: "host", keep: true };
    issues[lastSlot]?.push({ ms: lastMs, rank: outs.indexOf(version), step });
  }
  const steps: PlanStep[] = [];
  const copying = new Set<number>();
  const owed = new Set<number>();
  for (let k = 0; k < n; k++) {
    for (const { step } of inOrder(issues[k] ?? [])) {
      if (step.kind !== "offload") steps.push(step);
      else if (owed.delete(step.tensor)) steps.push({ kind: "offload", tensor: step.tensor, tier: "host" });
      else {
        steps.push(step);
        copying.add(step.tensor);
      }
    }
    steps.push({ kind: "compute", kernel: k });
    // A new version has no copy yet.
    for (const t of graph.kernels[k]?.outputs ?? []) copying.delete(t);
    for (const tensor of frees[k] ?? []) {
      const isDead = dead[k]?.includes(tensor) === true;
      // Its copy out is issued in a later slot, and frees it.
      if (!isDead && !copying.has(tensor)) owed.add(tensor);
      else steps.push({ kind: "free", tensor });
    }
  }
  return steps;
}

/** Copies out as early as the copies in that may wait for them, which keep their order. */
function inOrder(issues: readonly Issue[]): Issue[] {
  const out = issues.filter(({ step }) => step.kind === "offload").toSorted((a, b) => b.rank - a.rank);
  const merged: Issue[] = [];
  for (const issue of issues.filter(({ step }) => step.kind === "prefetch").toSorted((a, b) => a.rank - b.rank)) {
    while (out.length > 0 && (out[0] as Issue).ms <= issue.ms + EPSILON) merged.push(out.shift() as Issue);
    merged.push(issue);
  }
  return [...merged, ...out];
}
