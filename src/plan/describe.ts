/**
 * Why a plan is as fast as it is, and no faster: where the iteration needs most memory, what the plan makes of it, which waits
 * cost most, which budgets would work, what more of each resource would buy and what would buy nothing. Numbers, no sentences: those are
 * in `report/why.ts`. Pure, like all planning; it makes some twenty more plans to know what it tells.
 */
import type { Graph } from "../graph/graph.ts";
import { recomputeUnits } from "./recompute-units.ts";
import { attempt, type SmallestBudget, smallestBudget } from "./describe/budgets.ts";
import { asItIs, type Floor, floorOf, type Peak, peakOf } from "./describe/peak.ts";
import { type Stalls, stallsOf } from "./describe/stalls.ts";
import type { PlanStep, Prediction } from "./plan.ts";
import { type AutoOptions, autoPolicy } from "./policies/auto.ts";
import type { Machine, Policy } from "./policy.ts";
import { spansOf } from "./spans.ts";

/** What would make the step faster. `stepMs` is that of a plan which was made. */
export type Remedy =
  | { readonly kind: "device-memory"; readonly bytes: number; readonly stepMs: number }
  | { readonly kind: "recompute" | "host-memory"; readonly stepMs: number }
  | { readonly kind: "link"; readonly factor: number; readonly stepMs: number }
  /** Bytes that go down with the batch: of what is live at the peak, and of what the hungriest kernel needs. */
  | { readonly kind: "batch"; readonly peakBytes: number; readonly floorBytes: number };

/** What would not, and how many bytes it is about. */
export type Futility =
  /** Offloading what the peak kernel itself uses. */
  | { readonly kind: "operands"; readonly bytes: number }
  /** Weights are in use throughout and stay. */
  | { readonly kind: "weights"; readonly bytes: number }
  | { readonly kind: "workspace"; readonly bytes: number }
  /** More host memory: so much of it is used. */
  | { readonly kind: "host-memory"; readonly bytes: number; readonly stepMs: number }
  | { readonly kind: "link" | "recompute"; readonly stepMs: number }
  /** Activations of kernels that give something else when they run again: random, or with an update in place. */
  | { readonly kind: "not-recomputable"; readonly bytes: number }
  /** A budget below what the hungriest kernel needs at once. */
  | { readonly kind: "floor"; readonly bytes: number };

export interface SmallestBudgets {
  /** Nothing moves, nothing runs again: the iteration as it is. */
  readonly asItIsBytes: number;
  /** With copies alone; null where the machine has no link, or none works. */
  readonly transfers: SmallestBudget | null;
  /** With recomputation alone. */
  readonly recompute: SmallestBudget | null;
  /** With both, as far as the policy may. */
  readonly both: SmallestBudget | null;
}

export interface LargerBudget {
  readonly factor: number;
  readonly bytes: number;
  readonly stepMs: number;
}

export interface Why {
  readonly peak: Peak;
  readonly floor: Floor;
  readonly stalls: Stalls;
  readonly smallest: SmallestBudgets;
  readonly larger: readonly LargerBudget[];
  readonly would: readonly Remedy[];
  readonly wouldNot: readonly Futility[];
}

export interface DescribeOptions {
  /** What `auto` was told. */
  readonly auto?: AutoOptions;
}

const FACTORS = [1.25, 1.5, 2];
const LINK_FACTOR = 2;
/** A step faster by less is no gain. */
const GAIN = 1e-4;

/** @param plan one that fits; @param policy the one that made it */
export function describe(
  graph: Graph,
  machine: Machine,
  policy: Policy,
  plan: { readonly steps: readonly PlanStep[]; readonly predicted: Prediction },
  options: DescribeOptions = {},
): Why {
  const { auto: settings = {} } = options;
  const { steps, predicted } = plan;
  const { stepMs, oracleMs } = predicted;
  const peak = peakOf(graph, steps);
  const floor = floorOf(graph);
  const isSlow = stepMs > oracleMs * (1 + GAIN);
  // Most budget that is of any use.
  const enoughBytes = asItIs(graph).bytes;
  const planAt = (change: Partial<Machine>, by: Policy = policy): number => {
    const other = { ...machine, ...change };
    // More of anything never makes a plan worse: what fits here fits there.
    return Math.min(stepMs, attempt(graph, other, by).stepMs ?? stepMs);
  };
  const larger: LargerBudget[] = [];
  for (const factor of FACTORS) {
    const bytes = Math.ceil(machine.deviceBytes * factor);
    if (!isSlow || !Number.isFinite(bytes)) break;
    const before = larger.at(-1)?.stepMs ?? stepMs;
    larger.push({ factor, bytes, stepMs: Math.min(before, planAt({ deviceBytes: bytes })) });
    if (bytes >= enoughBytes) break;
  }
  const { would, wouldNot } = isSlow
    ? remedies(graph, machine, predicted, planAt, settings)
    : { would: [], wouldNot: [] };
  const gain = larger.find((each) => each.stepMs < stepMs * (1 - GAIN));
  return {
    peak,
    floor,
    stalls: stallsOf(graph, spansOf(graph, machine, steps)),
    smallest: smallestBudgets(graph, machine, enoughBytes, settings),
    larger,
    would: [
      ...(gain === undefined ? [] : [{ kind: "device-memory" as const, bytes: gain.bytes, stepMs: gain.stepMs }]),
      ...would,
      { kind: "batch", peakBytes: peak.batchBytes, floorBytes: floor.batchBytes },
    ],
    wouldNot: [...wouldNot, ...futile(graph, peak), { kind: "floor", bytes: floor.bytes }],
  };
}

/** What other machines, or recomputation where it was forbidden, would make of it. */
function remedies(
  graph: Graph,
  machine: Machine,
  { stepMs, peakHostBytes }: Prediction,
  planAt: (change: Partial<Machine>, by?: Policy) => number,
  settings: AutoOptions,
): { readonly would: Remedy[]; readonly wouldNot: Futility[] } {
  const would: Remedy[] = [];
  const wouldNot: Futility[] = [];
  const helps = (ms: number): boolean => ms < stepMs * (1 - GAIN);
  if (settings.recompute === false) {
    const ms = planAt({}, autoPolicy({ ...settings, recompute: true }));
    if (helps(ms)) would.push({ kind: "recompute", stepMs: ms });
    else wouldNot.push({ kind: "recompute", stepMs: ms });
  } else {
    const bytes = notRecomputableBytes(graph);
    if (bytes > 0) wouldNot.push({ kind: "not-recomputable", bytes });
  }
  const { hostBytes, offloadGBps, prefetchGBps } = machine;
  if (offloadGBps <= 0 || prefetchGBps <= 0) return { would, wouldNot };
  if (Number.isFinite(hostBytes)) {
    const ms = planAt({ hostBytes: Number.POSITIVE_INFINITY });
    if (helps(ms)) would.push({ kind: "host-memory", stepMs: ms });
    else wouldNot.push({ kind: "host-memory", bytes: peakHostBytes, stepMs: ms });
  }
  const ms = planAt({ offloadGBps: offloadGBps * LINK_FACTOR, prefetchGBps: prefetchGBps * LINK_FACTOR });
  if (helps(ms)) would.push({ kind: "link", factor: LINK_FACTOR, stepMs: ms });
  else wouldNot.push({ kind: "link", stepMs: ms });
  return { would, wouldNot };
}

/** Of the peak kernel: what it uses itself cannot leave, and weights never do. */
function futile(graph: Graph, { at, workspaceBytes, roles }: Peak): Futility[] {
  const { inputs = [], outputs = [] } = graph.kernels[at.kernel] ?? {};
  const operands = [...new Set([...inputs, ...outputs])].filter((t) => graph.tensors[t]?.role !== "weight");
  const operandBytes = operands.reduce((sum, t) => sum + (graph.tensors[t]?.bytes ?? 0), 0);
  const weightBytes = roles.find(({ role }) => role === "weight")?.bytes ?? 0;
  const all: Futility[] = [
    { kind: "operands", bytes: operandBytes },
    { kind: "weights", bytes: weightBytes },
    { kind: "workspace", bytes: workspaceBytes },
  ];
  return all.filter((each) => "bytes" in each && each.bytes > 0);
}

/** Activations that cannot be built again: their kernel says so, or updates something in place that was there before. */
function notRecomputableBytes(graph: Graph): number {
  const { unitOf, members, memberStart, latest, firstWriter } = recomputeUnits(graph);
  let bytes = 0;
  graph.tensors.forEach((tensor, t) => {
    const writer = firstWriter[t] ?? -1;
    if (tensor.role !== "activation" || writer < 0) return;
    const unit = unitOf[writer] ?? 0;
    const first = members[memberStart[unit] ?? 0] ?? 0;
    if ((latest[unit] ?? 0) <= first) bytes += tensor.bytes;
  });
  return bytes;
}

/** Searches with few moves: whether a plan fits does not depend on how long it is polished. */
function smallestBudgets(
  graph: Graph,
  machine: Machine,
  asItIsBytes: number,
  { recompute = true }: AutoOptions,
): SmallestBudgets {
  const isLinked = machine.offloadGBps > 0 && machine.prefetchGBps > 0 && machine.hostBytes > 0;
  const alone: Machine = { ...machine, hostBytes: 0, offloadGBps: 0, prefetchGBps: 0, spillBytes: 0 };
  const search = (on: Machine, again: boolean): SmallestBudget | null =>
    smallestBudget(graph, on, autoPolicy({ recompute: again, moves: 0 }));
  const transfers = isLinked ? search(machine, false) : null;
  const again = recompute ? search(alone, true) : null;
  const both = !recompute ? transfers : isLinked ? search(machine, true) : again;
  return { asItIsBytes, transfers, recompute: again, both };
}
