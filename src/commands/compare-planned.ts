/**
 * Policies compared by their plans: for a graph from a file, with the times in it, or for a built-in network on a simulated GPU.
 * The policies of vDNN's paper run there as the paper runs them, where the graph is simulated; elsewhere streams run on.
 */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { lowerBoundMs } from "../plan/auto/bounds.ts";
import { problemOf } from "../plan/auto/gaps.ts";
import { dryRun, fitsDryRun } from "../plan/ledger.ts";
import { findPolicy } from "../plan/policies/index.ts";
import { none } from "../plan/policies/none.ts";
import type { Machine } from "../plan/policy.ts";
import { networkWide } from "../simulator/accounting.ts";
import type { Algorithm } from "../simulator/convolution.ts";
import type { EnergyTable } from "../simulator/energy-data.ts";
import { timed } from "../simulator/kernel-times.ts";
import { plannerMachine, type SimulatedMachine } from "../simulator/machines.ts";
import { movementOf, movementPj } from "../simulator/movement.ts";
import { simulate } from "../simulator/simulate.ts";
import { freeRun, type TimedRun } from "../simulator/timed-steps.ts";
import type { WorkGraph } from "../simulator/work.ts";
import { formatBytes } from "../units.ts";
import type { Budget } from "./budgets.ts";
import { type Baseline, type BudgetLine, type CompareRow, NOTHING } from "./comparison.ts";
import { NETWORK_WIDE, policyName, STOCK } from "./policy-names.ts";

/** What a policy does under a budget. */
export interface Planned {
  readonly chosen: string;
  readonly fits: boolean;
  readonly graph: Graph;
  readonly run: TimedRun;
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
}

/** Where plans come from. */
export interface PlanSource {
  readonly oracleMs: number;
  readonly baselines: readonly Baseline[];
  plan(policy: string, deviceBytes: number): Planned;
  /** Null where no schedule fits, so that a bound says nothing. */
  boundMs(deviceBytes: number): number | null;
}

/** @param machine its budget is not looked at */
export function graphSource(graph: Graph, machine: SimulatedMachine): PlanSource {
  const planner = plannerMachine(machine);
  const weightGradients = weightGradientsOf(graph);
  const oracleMs = sumMs(graph);
  return {
    oracleMs,
    baselines: baselinesOf(graph, weightGradients, oracleMs),
    plan: (policy, deviceBytes) =>
      policy === NETWORK_WIDE
        ? wholeNetwork(graph, weightGradients, deviceBytes)
        : planOf(graph, { ...planner, deviceBytes }, policy),
    boundMs: (deviceBytes) => boundOf(graph, { ...planner, deviceBytes }),
  };
}

/** @param machine its budget is not looked at */
export function networkSource(work: WorkGraph, machine: SimulatedMachine): PlanSource {
  const planner = plannerMachine(machine);
  const by = (algorithm: Algorithm): Graph => timed(work, machine, { algorithms: () => algorithm });
  const fastest = by("p");
  const leanest = by("m");
  // Every kernel by its fastest algorithm and without workspace: no choice of algorithms is faster or smaller.
  const ideal: Graph = {
    ...fastest,
    kernels: fastest.kernels.map((kernel) => ({ ...kernel, workspaceBytes: 0 })),
  };
  const oracleMs = sumMs(fastest);
  const first = (plans: readonly (() => Planned)[]): Planned => {
    let last = (plans[0] as () => Planned)();
    for (const plan of plans.slice(1)) if (!last.fits) last = plan();
    return last;
  };
  return {
    oracleMs,
    baselines: baselinesOf(fastest, work.weightGradients, oracleMs),
    plan(policy, deviceBytes) {
      const graphs = [
        ["p", fastest],
        ["m", leanest],
      ] as const;
      const chosen = (name: string, plan: Planned): Planned => ({ ...plan, chosen: name });
      if (policy === NETWORK_WIDE) {
        return first(
          graphs.map(
            ([a, g]) =>
              () =>
                chosen(a, wholeNetwork(g, work.weightGradients, deviceBytes)),
          ),
        );
      }
      if (policy === STOCK) {
        return first(
          graphs.map(
            ([a, g]) =>
              () =>
                chosen(a, planOf(g, { ...planner, deviceBytes }, policy)),
          ),
        );
      }
      const { runs } = simulate({ work, machine: { ...machine, deviceBytes }, policies: [policy] });
      const order = runs.toSorted(({ result: a }, { result: b }) =>
        a.fits !== b.fits ? (a.fits ? -1 : 1) : a.fits ? a.stepMs - b.stepMs : a.peakDeviceBytes - b.peakDeviceBytes,
      );
      const best = order[0] as (typeof runs)[number];
      const { result, graph, run } = best;
      return {
        chosen: [result.chosen, result.algorithm].filter(Boolean).join(", "),
        fits: result.fits,
        graph,
        run,
        peakDeviceBytes: result.peakDeviceBytes,
        peakHostBytes: result.peakHostBytes,
      };
    },
    boundMs: (deviceBytes) => boundOf(ideal, { ...planner, deviceBytes }),
  };
}

export interface PlannedOptions {
  readonly policies: readonly string[];
  readonly budgets: readonly Budget[];
  readonly energy: EnergyTable;
  readonly onPlan?: (policy: string, budget: Budget) => void;
  /** Called for what fits, with the plan that the row is about. */
  readonly onPlanned?: (made: {
    readonly policy: string;
    readonly budgetBytes: number;
    readonly planned: Planned;
  }) => void;
}

export function comparePlans(
  source: PlanSource,
  { policies, budgets, energy, onPlan, onPlanned }: PlannedOptions,
): { readonly budgets: BudgetLine[]; readonly rows: CompareRow[] } {
  const rows = budgets.flatMap((budget) =>
    policies.map((policy) => {
      onPlan?.(policy, budget);
      const planned = source.plan(policy, budget.deviceBytes);
      if (planned.fits) onPlanned?.({ policy, budgetBytes: budget.deviceBytes, planned });
      return rowOf(policy, budget, planned, source.oracleMs, energy);
    }),
  );
  const lines = budgets.map((budget) => ({ ...budget, lowerBoundMs: source.boundMs(budget.deviceBytes) }));
  return { budgets: lines, rows };
}

function rowOf(
  policy: string,
  { deviceBytes }: Budget,
  { chosen, fits, graph, run, peakDeviceBytes, peakHostBytes }: Planned,
  oracleMs: number,
  energy: EnergyTable,
): CompareRow {
  const row = { policy, chosen, budgetBytes: deviceBytes };
  if (!fits) {
    const reason =
      peakDeviceBytes > deviceBytes
        ? `needs ${formatBytes(peakDeviceBytes)}, ${formatBytes(peakDeviceBytes - deviceBytes)} more`
        : `needs ${formatBytes(peakHostBytes)} on the host`;
    return { ...row, ...NOTHING, outcome: "too-large", reason, peakDeviceBytes, peakHostBytes };
  }
  const movement = movementOf(graph, run);
  const { offloadBytes, prefetchBytes, overlap, recomputeMs } = movement;
  return {
    ...row,
    outcome: "trains",
    stepMs: run.stepMs,
    ratio: run.stepMs / oracleMs,
    peakDeviceBytes,
    peakHostBytes,
    offloadBytes,
    prefetchBytes,
    stallMs: run.stallMs,
    overlap,
    recomputeMs,
    ...movementPj(movement, energy),
  };
}

function planOf(graph: Graph, machine: Machine, name: string): Planned {
  const policy = name === STOCK ? none : findPolicy(policyName(name));
  const { steps, chosen, fits } = policy.decide(graph, machine);
  const dry = dryRun(graph, steps);
  return {
    chosen: chosen === policy.name ? "" : chosen.replace(`${policy.name}: `, ""),
    fits: fits && fitsDryRun(dry, machine),
    graph,
    run: freeRun(graph, machine, steps),
    peakDeviceBytes: dry.peakDeviceBytes,
    peakHostBytes: dry.peakHostBytes,
  };
}

/** Allocated before training begins, so there is nothing to plan. */
function wholeNetwork(graph: Graph, weightGradients: readonly TensorIndex[], deviceBytes: number): Planned {
  const { totalBytes } = networkWide(graph, weightGradients);
  const { run } = planOf(graph, UNLIMITED, STOCK);
  return { chosen: "", fits: totalBytes <= deviceBytes, graph, run, peakDeviceBytes: totalBytes, peakHostBytes: 0 };
}

const UNLIMITED: Machine = {
  name: "memory without end",
  deviceBytes: Number.POSITIVE_INFINITY,
  hostBytes: 0,
  offloadGBps: 0,
  prefetchGBps: 0,
};

function baselinesOf(graph: Graph, weightGradients: readonly TensorIndex[], stepMs: number): Baseline[] {
  const peak = (name: string): number => planOf(graph, UNLIMITED, name).peakDeviceBytes;
  return [
    { name: STOCK, peakDeviceBytes: peak(STOCK), stepMs },
    { name: NETWORK_WIDE, peakDeviceBytes: networkWide(graph, weightGradients).totalBytes, stepMs },
    { name: "liveness", peakDeviceBytes: peak("liveness"), stepMs },
  ];
}

/** A file does not say which gradients are of weights: those that the update reads. */
function weightGradientsOf({ tensors, kernels }: Graph): TensorIndex[] {
  const found = new Set<TensorIndex>();
  for (const { pass, inputs } of kernels) {
    if (pass !== "update") continue;
    for (const t of inputs) if (tensors[t]?.role === "gradient") found.add(t);
  }
  return [...found];
}

function boundOf(graph: Graph, machine: Machine): number | null {
  const bound = lowerBoundMs(problemOf(graph), machine, { recompute: true });
  return Number.isFinite(bound) ? bound : null;
}

function sumMs({ kernels }: Graph): number {
  return kernels.reduce((sum, { ms }) => sum + ms, 0);
}
