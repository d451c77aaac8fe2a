/** The chart of `vdnn compare`: step time over budget, one line per policy, with the lower bound and the oracle. */
import { type LineChart, type Point, renderLineChart, type Series } from "../report/chart.ts";
import { formatBytes, formatMs, GIB, MIB } from "../units.ts";
import type { Comparison } from "./comparison.ts";
import { PLANNED_POLICIES } from "./policy-names.ts";

export function renderComparisonChart(comparison: Comparison): string {
  return renderLineChart(comparisonChart(comparison));
}

export function comparisonChart(comparison: Comparison): LineChart {
  const { subject, machine, budgets, rows, oracleMs, source, baselines } = comparison;
  const most = Math.max(...budgets.map(({ deviceBytes }) => deviceBytes));
  const [unit, unitBytes] = most >= 2 * GIB ? (["GiB", GIB] as const) : (["MiB", MIB] as const);
  const slowest = Math.max(oracleMs, ...rows.map(({ stepMs }) => stepMs ?? 0));
  const [time, timeMs] = slowest >= 2000 ? (["s", 1000] as const) : (["ms", 1] as const);
  const point = (bytes: number, ms: number): Point => ({ x: bytes / unitBytes, y: ms / timeMs });
  const policies = [...new Set(rows.map(({ policy }) => policy))];
  const lines = policies.map((policy): Series => {
    const own = rows.filter((row) => row.policy === policy);
    const points = own.map(({ budgetBytes, stepMs }) => point(budgetBytes, stepMs ?? Number.NaN));
    const fits = own.some(({ stepMs }) => stepMs !== null);
    return { name: fits ? policy : `${policy}: fits none`, points, look: PLANNED_POLICIES.indexOf(policy) };
  });
  const bounded = budgets.filter(({ lowerBoundMs }) => lowerBoundMs !== null);
  const bound = bounded.map(({ deviceBytes, lowerBoundMs }) => point(deviceBytes, lowerBoundMs ?? Number.NaN));
  const ends = [budgets[0]?.deviceBytes ?? 0, most];
  const references: readonly Series[] = [
    ...(bound.length === 0 ? [] : [{ name: "lower bound", points: bound, style: "dashed" } as const]),
    { name: "oracle", points: ends.map((bytes) => point(bytes, oracleMs)), style: "dotted" },
  ];
  const peaks = baselines.map(({ name, peakDeviceBytes }) => `${name} ${formatBytes(peakDeviceBytes)}`).join(", ");
  return {
    title: `${subject.replace(/:.*$/, "")}: step time over device budget, ${source}`,
    notes: [machine, `peaks without a budget: ${peaks}`],
    description: [
      `Step time over device budget, ${source}. Oracle ${formatMs(oracleMs)}.`,
      ...policies.map((policy) => `${policy}: ${describe(comparison, policy)}.`),
    ].join(" "),
    x: { label: `device budget, ${unit}` },
    y: { label: `step time, ${time}` },
    series: [...lines, ...references],
  };
}

function describe({ rows }: Comparison, policy: string): string {
  const own = rows.filter((row) => row.policy === policy);
  return own
    .map(({ budgetBytes, stepMs }) => `${stepMs === null ? "none" : formatMs(stepMs)} at ${formatBytes(budgetBytes)}`)
    .join(", ");
}
