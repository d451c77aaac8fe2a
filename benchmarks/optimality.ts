/**
 * How far are `auto`'s plans from the optimum? Small random iterations and machines, each planned, and solved exactly by a
 * mixed-integer program of the same execution model; every optimum is a plan that the validator has timed. Lower bounds are held
 * against the same optima: one that exceeds its optimum is wrong.
 */
import fc from "fast-check";
import { certify, MAX_GAPS, MAX_KERNELS } from "../src/plan/certify.ts";
import { livesOf } from "../src/plan/certify/lives.ts";
import { smallestFeasibleBytes } from "../src/plan/ledger.ts";
import { makePlan } from "../src/plan/make.ts";
import { autoPolicy } from "../src/plan/policies/auto.ts";
import { type SmallCase, smallCases, smallGraph, smallMachine } from "../test/support/small-graphs.ts";
import { type Environment, environment, progress, publish, runAsProgram, type Table } from "./harness.ts";
import { integer, readOptions } from "./options.ts";

const QUESTION = "How far are auto's plans, and its lower bounds, from the optimum?";

const OPTIONS = {
  cases: { default: "100", help: "random cases, each without and with recompute" },
  layers: { default: "5", help: "most layers, without recompute" },
  "recompute-layers": { default: "4", help: "most layers, with recompute" },
  seed: { default: "1", help: "of the cases" },
  nodes: { default: "50000", help: "branch-and-bound nodes of each program" },
};

/** All times are of the execution model, ms; the last three are what finding them took. */
export interface OptimalityRow {
  readonly recompute: boolean;
  readonly kernels: number;
  readonly gaps: number;
  readonly optimalMs: number | null;
  readonly proven: boolean;
  readonly autoMs: number | null;
  readonly lowerBoundMs: number;
  readonly oracleMs: number;
  readonly planningMs: number;
  readonly solvingMs: number;
  /** The case, where something is worse than the optimum by more than tolerances. */
  readonly example: SmallCase | null;
}

export interface OptimalityResult {
  readonly schema: "vdnn-bench-optimality/1";
  readonly question: string;
  readonly environment: Environment;
  readonly seed: number;
  readonly nodes: number;
  readonly rows: readonly OptimalityRow[];
}

const CLOSE = 1 + 1e-5;

async function measure(small: SmallCase, recompute: boolean, nodes: number): Promise<OptimalityRow | undefined> {
  const graph = smallGraph(small);
  const { gaps, during } = livesOf(graph);
  if (graph.kernels.length > MAX_KERNELS || gaps.length > MAX_GAPS || gaps.length === 0) return undefined;
  const movable = (t: number): boolean => ["activation", "gradient"].includes(graph.tensors[t]?.role ?? "");
  const machine = smallMachine(small, smallestFeasibleBytes(graph, movable).bytes, Math.max(...during));
  const start = performance.now();
  const { plan, fits } = makePlan(graph, machine, autoPolicy({ recompute }));
  const planned = performance.now();
  const { optimalMs, proven } = await certify(graph, machine, { recompute, maxNodes: nodes });
  const solved = performance.now();
  const { stepMs, lowerBoundMs, oracleMs } = plan.predicted;
  const isOff = (fits ? stepMs : Number.POSITIVE_INFINITY) > optimalMs * CLOSE || lowerBoundMs > optimalMs * CLOSE;
  return {
    recompute,
    kernels: graph.kernels.length,
    gaps: gaps.length,
    optimalMs: Number.isFinite(optimalMs) ? optimalMs : null,
    proven,
    autoMs: fits ? stepMs : null,
    lowerBoundMs,
    oracleMs,
    planningMs: planned - start,
    solvingMs: solved - planned,
    example: isOff ? small : null,
  };
}

export function optimalityTables({ rows, seed }: OptimalityResult): Table[] {
  return [
    {
      caption:
        `Distance of auto's step time from the proven optimum on small random iterations (seed ${seed}), in the execution ` +
        `model. Hard: cases whose optimum is slower than the oracle. Below: plans faster than a proven optimum, and lower ` +
        `bounds above one; both must be 0.`,
      header: [
        "decisions",
        "cases",
        "proven",
        "hard",
        "optimal",
        "mean",
        "worst",
        "missed",
        "bound tight",
        "below",
        "solving",
      ],
      rows: [false, true].map((recompute) => summary(rows, recompute)),
    },
  ];
}

function summary(rows: readonly OptimalityRow[], recompute: boolean): string[] {
  const all = rows.filter((row) => row.recompute === recompute);
  const proven = all.filter((row) => row.proven);
  const hard = proven.filter((row) => row.optimalMs !== null && row.optimalMs > row.oracleMs * CLOSE);
  const ratios = proven.flatMap(({ autoMs, optimalMs }) =>
    autoMs === null || optimalMs === null ? [] : [autoMs / optimalMs],
  );
  const missed = proven.filter(({ autoMs, optimalMs }) => autoMs === null && optimalMs !== null);
  const tight = hard.filter(({ lowerBoundMs, optimalMs }) => lowerBoundMs * CLOSE >= (optimalMs ?? 0));
  const wrong = proven.filter(
    ({ autoMs, optimalMs, lowerBoundMs }) =>
      (autoMs ?? Number.POSITIVE_INFINITY) * CLOSE < (optimalMs ?? Number.POSITIVE_INFINITY) ||
      lowerBoundMs > (optimalMs ?? Number.POSITIVE_INFINITY) * CLOSE,
  );
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(2)} %`;
  return [
    recompute ? "offload + recompute" : "offload",
    `${all.length}`,
    `${proven.length}`,
    `${hard.length}`,
    `${ratios.filter((ratio) => ratio <= CLOSE).length}`,
    percent(ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.max(1, ratios.length)),
    percent(Math.max(1, ...ratios)),
    `${missed.length}`,
    `${tight.length}`,
    `${wrong.length}`,
    `${(all.reduce((sum, { solvingMs }) => sum + solvingMs, 0) / Math.max(1, all.length) / 1000).toFixed(2)} s`,
  ];
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const cases = integer(options.cases, "cases");
  const [seed, nodes] = [integer(options.seed, "seed", 0), integer(options.nodes, "nodes")];
  const rows: OptimalityRow[] = [];
  for (const recompute of [false, true]) {
    const layers = integer(recompute ? options["recompute-layers"] : options.layers, "layers", 2);
    // Some samples are beyond what can be proven, or have nothing to decide.
    const samples = fc.sample(smallCases(layers), { numRuns: 4 * cases, seed });
    let count = 0;
    for (const small of samples) {
      if (count >= cases) break;
      const row = await measure(small, recompute, nodes);
      if (row === undefined) continue;
      rows.push(row);
      if (++count % 20 === 0) progress(`${recompute ? "with" : "without"} recompute: ${count} of ${cases}`);
    }
  }
  const result: OptimalityResult = {
    schema: "vdnn-bench-optimality/1",
    question: QUESTION,
    environment: environment(null),
    seed,
    nodes,
    rows,
  };
  publish(options.json, result, optimalityTables(result));
});
