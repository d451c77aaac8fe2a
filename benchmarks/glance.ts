/**
 * The first table of the README: one line per benchmark, computed from the committed results like the tables themselves, so that
 * no figure in it is written by hand.
 */
import { formatBytes } from "../src/units.ts";
import type { DtrResult } from "./dtr-result.ts";
import { type G10Result, mean, planOf, shareOfIdeal, WAYS } from "./g10-result.ts";
import type { Environment, Table } from "./harness.ts";
import type { LimitResult } from "./limit.ts";
import type { MemoryResult } from "./memory.ts";
import type { OptimalityResult } from "./optimality.ts";
import type { PeersResult } from "./peers-result.ts";
import type { PoliciesResult } from "./policies.ts";
import type { RssResult } from "./rss.ts";
import type { ScalingResult } from "./scaling.ts";
import type { SpeedResult, SpeedRow } from "./speed-result.ts";
import { describeWorkload } from "./workloads.ts";

/** The documents by name of their benchmark, as they stand in `results/`. */
type Documents = ReadonlyMap<string, { readonly schema: string; readonly environment: Environment }>;

/** What is asked, the answer, and the yardstick beside it. */
type Line = readonly [question: string, known: "measured" | "simulated", answer: string, against: string];

const LINES: Readonly<Record<string, (document: never) => readonly Line[]>> = {
  memory: memoryLines,
  speed: speedLines,
  rss: rssLines,
  limit: limitLines,
  peers: peersLines,
  policies: policiesLines,
  g10: g10Lines,
  dtr: dtrLines,
  optimality: optimalityLines,
  scaling: scalingLines,
};

/** Benchmarks without a result have no line. */
export function glanceTable(documents: Documents): Table {
  const rows = Object.entries(LINES).flatMap(([name, lines]) => {
    const document = documents.get(name);
    return document === undefined ? [] : lines(document as never).map((line) => [...line]);
  });
  return {
    caption:
      "Losses and weights of the runs for device memory, resident set and cap were compared with those of stock TensorFlow.js, bit by bit. " +
      "The spread, the machine, and where others are ahead are in [docs/results.md](docs/results.md).",
    header: ["question", "", "vdnn", "against"],
    rows,
  };
}

function memoryLines({ nets }: MemoryResult): Line[] {
  return nets.map(({ workload, rows }) => {
    const peakOf = (name: string): number => rows.find(({ policy }) => policy === name)?.steadyPeakBytes ?? Number.NaN;
    const share = (name: string): string => `${((peakOf(name) / peakOf("none")) * 100).toFixed(1)} %`;
    return [
      `Device memory of ${describeWorkload(workload)}`,
      "measured",
      `${formatBytes(peakOf("vdnn-all"))} with everything offloaded: ${share("vdnn-all")} (freeing alone: ${share("liveness")})`,
      `stock: ${formatBytes(peakOf("none"))}`,
    ];
  });
}

function speedLines({ nets }: SpeedResult): Line[] {
  const medians = (wanted: string): string =>
    nets
      .map(({ workload, rows }) => {
        const ratio = rows.find(({ mode }) => mode === wanted)?.ratio.median ?? Number.NaN;
        return `${workload.network} ${ratio.toFixed(2)}`;
      })
      .join(", ");
  return [
    ["Step time, every feature map offloaded to RAM", "measured", medians("offload-ram"), "stock: 1"],
    ["Step time, every feature map offloaded to disk", "measured", medians("offload-disk"), "stock: 1"],
  ];
}

function rssLines({ workload, device, host, rows }: RssResult): Line[] {
  const highest = (wanted: string): string => {
    const found = rows.find(({ mode, allocator }) => mode === wanted && allocator === "default");
    return found?.outcome.ok === true ? formatBytes(found.outcome.value.peakRssBytes) : "failed";
  };
  const question = `Resident set of the process, ${describeWorkload(workload)}, ${device} of device and ${host} of host memory`;
  return [[question, "measured", highest("vdnn-all"), `stock: ${highest("stock")}`]];
}

function limitLines({ workload, trials }: LimitResult): Line[] {
  const trained = trials.find(({ session, outcome, identical }) => session !== null && outcome.ok && identical);
  const stock = trials.find(({ session, limitBytes }) => session === null && limitBytes !== null);
  if (stock?.limitBytes == null) return [];
  const question = `${describeWorkload(workload)} with TensorFlow's allocator capped at ${formatBytes(stock.limitBytes)}`;
  const trains = (does: boolean): string => (does ? "trains" : "out of memory");
  return [[question, "measured", trains(trained !== undefined), `stock: ${trains(stock.outcome.ok)}`]];
}

/** Both against their own plain step, and both plain steps, because the frameworks themselves differ by more. */
function peersLines({ nets }: PeersResult): Line[] {
  return nets.flatMap(({ vdnn: { workload, rows }, pytorch: { time } }) => {
    const [saved, plain] = [time["save_on_cpu"], time["plain"]];
    const ours = (wanted: string): SpeedRow | undefined => rows.find(({ mode }) => mode === wanted);
    const [offloaded, stock] = [ours("offload-ram"), ours("stock")];
    if (saved === undefined || plain === undefined || offloaded === undefined || stock === undefined) return [];
    const cell = (ratio: number, ms: number): string => `${ratio.toFixed(2)} of a plain ${Math.round(ms)} ms`;
    const answer = cell(offloaded.ratio.median, stock.stepMs.median);
    const against = `PyTorch's save_on_cpu: ${cell(saved.ratioMedian, plain.medianMs)}`;
    return [[`Step time, offloaded to RAM, ${workload.network}`, "measured", answer, against]] as const;
  });
}

function policiesLines({ budgets }: PoliciesResult): Line[] {
  const ratios = budgets.flatMap(({ rows }) =>
    rows.flatMap(({ policy, measuredOverPredicted, failure }) =>
      policy === "auto" && failure === null ? [measuredOverPredicted.median] : [],
    ),
  );
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} in ${ratios.length} cells`;
  return [["Step time over what the plan of auto predicts", "measured", range, "1"]];
}

function g10Lines({ cases }: G10Result): Line[] {
  const main = cases.filter(({ isMain }) => isMain);
  const share = (recompute: boolean): string => {
    const way = WAYS.find((each) => each.tier === "spill" && each.recompute === recompute);
    return way === undefined
      ? ""
      : `${(mean(main.map((each) => shareOfIdeal(each, planOf(each, way)))) * 100).toFixed(1)} %`;
  };
  const published = mean(main.map(({ idealMs, publishedG10Ms }) => idealMs / publishedG10Ms));
  return [
    [
      `Share of ideal speed, ${main.length} networks on a 40 GiB GPU over PCIe`,
      "simulated",
      `${share(true)} (without recomputing: ${share(false)})`,
      `G10, MICRO 2023: ${(published * 100).toFixed(1)} % on the same`,
    ],
  ];
}

function dtrLines({ series }: DtrResult): Line[] {
  return series.flatMap(({ network, publishedAtHalf, points }) => {
    const half = points.find(({ share }) => share === 0.5);
    if (publishedAtHalf === null || half?.auto === null || half === undefined) return [];
    const question = `Step time in half of peak memory by recomputing alone, ${network}`;
    return [[question, "simulated", half.auto.toFixed(3), `DTR, ICLR 2021: ${publishedAtHalf.toFixed(3)}`]] as const;
  });
}

function optimalityLines({ rows }: OptimalityResult): Line[] {
  const losses = rows.flatMap(({ proven, optimalMs, autoMs }) =>
    proven && optimalMs !== null && autoMs !== null ? [autoMs / optimalMs - 1] : [],
  );
  const answer = `${(mean(losses) * 100).toFixed(2)} % on average, ${(Math.max(...losses) * 100).toFixed(2)} % at worst`;
  return [[`Distance of auto from the optimum, ${losses.length} small graphs`, "simulated", answer, "MILP: 0"]];
}

function scalingLines({ rows }: ScalingResult): Line[] {
  return [1_000, 10_000, 100_000].flatMap((size) => {
    const seconds = rows
      .filter(({ kernels }) => kernels === size)
      .map(({ outcomes }) =>
        Math.min(...outcomes.map((outcome) => (outcome.ok ? outcome.value.planningMs / 1000 : Infinity))),
      );
    const answer = `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} s`;
    return seconds.length === 0
      ? []
      : ([[`Time to plan ${size.toLocaleString("en")} kernels`, "measured", answer, ""]] as const);
  });
}
