/** The result of benchmarks/peers.ts, and its tables. */
import { formatBytes } from "../src/units.ts";
import type { Environment, Outcome, Table } from "./harness.ts";
import type { SpeedMode, SpeedNet } from "./speed-result.ts";
import type { TrialResult } from "./trial.ts";
import { describeWorkload } from "./workloads.ts";

/** The part of `vdnn-peers/1` that is read here. */
export interface PyTorchDocument {
  readonly environment: Readonly<Record<string, unknown>>;
  readonly results: readonly PyTorchNet[];
}

export interface PyTorchNet {
  readonly time: Readonly<Record<string, PyTorchTime>>;
  readonly memory: Readonly<Record<string, { readonly maxRssBytes: number; readonly beforeTrainingBytes: number }>>;
}

interface PyTorchTime {
  readonly medianMs: number;
  readonly minMs: number;
  readonly ratioMedian: number;
}

export interface PeerNet {
  readonly name: string;
  readonly torch: Readonly<Record<string, unknown>>;
  readonly pytorch: PyTorchNet;
  readonly vdnn: SpeedNet;
  /** By mode. */
  readonly rss: Readonly<Record<string, Outcome<TrialResult>>>;
}

export interface PeersResult {
  readonly schema: "vdnn-bench-peers/1";
  readonly question: string;
  readonly environment: Environment;
  readonly rounds: number;
  readonly nets: readonly PeerNet[];
}

interface Pair {
  readonly name: string;
  readonly pytorch: string | null;
  readonly vdnn: SpeedMode | "stock";
}

/** What does the same job in both. PyTorch frees as it goes by itself, so liveness has no other side. */
const PAIRS: readonly Pair[] = [
  { name: "plain", pytorch: "plain", vdnn: "stock" },
  { name: "free eagerly", pytorch: null, vdnn: "liveness" },
  { name: "budget", pytorch: null, vdnn: "budget" },
  { name: "budget, half way", pytorch: null, vdnn: "half" },
  { name: "offload to RAM", pytorch: "save_on_cpu", vdnn: "offload-ram" },
  { name: "offload to disk", pytorch: "disk", vdnn: "offload-disk" },
  { name: "offload to disk, raw", pytorch: "disk_raw", vdnn: "offload-disk" },
  { name: "checkpoint", pytorch: "checkpoint", vdnn: "checkpoint" },
];

interface Figures {
  readonly ratio: number;
  readonly ms: number;
  readonly rssBytes: number;
}

function ofPyTorch({ time, memory }: PyTorchNet, variant: string | null): Figures | null {
  const found = variant === null ? undefined : time[variant];
  if (found === undefined) return null;
  const rssBytes = memory[variant ?? ""]?.maxRssBytes ?? Number.NaN;
  return { ratio: found.ratioMedian, ms: found.medianMs, rssBytes };
}

function ofVdnn({ vdnn, rss }: PeerNet, mode: string): Figures | null {
  const found = vdnn.rows.find((row) => row.mode === mode);
  if (found === undefined || found.failure !== null) return null;
  const outcome = rss[mode];
  const rssBytes = outcome?.ok === true ? outcome.value.peakRssBytes : Number.NaN;
  return { ratio: found.ratio.median, ms: found.stepMs.median, rssBytes };
}

/** The figures in which PyTorch is better. */
function aheadIn(pytorch: Figures | null, vdnn: Figures | null, isPlain: boolean): string {
  if (pytorch === null || vdnn === null) return "";
  const ahead = [
    !isPlain && pytorch.ratio < vdnn.ratio ? "ratio" : "",
    pytorch.ms < vdnn.ms ? "ms" : "",
    pytorch.rssBytes < vdnn.rssBytes ? "RSS" : "",
  ].filter((name) => name !== "");
  return ahead.length === 0 ? "nothing" : ahead.join(", ");
}

function cells(figures: Figures | null): [ratio: string, ms: string, rss: string] {
  if (figures === null) return ["", "", ""];
  const { ratio, ms, rssBytes } = figures;
  return [ratio.toFixed(3), ms.toFixed(1), Number.isFinite(rssBytes) ? formatBytes(rssBytes) : ""];
}

function pairRow(net: PeerNet, { name, pytorch, vdnn }: (typeof PAIRS)[number]): string[] {
  const theirs = ofPyTorch(net.pytorch, pytorch);
  const ours = ofVdnn(net, vdnn);
  const [ratioA, msA, rssA] = cells(theirs);
  const [ratioB, msB, rssB] = cells(ours);
  return [name, ratioA, ratioB, msA, msB, rssA, rssB, aheadIn(theirs, ours, vdnn === "stock")];
}

export function peersTables({ nets, rounds }: PeersResult): Table[] {
  return nets.map((net) => ({
    caption:
      `${describeWorkload(net.vdnn.workload)}: PyTorch ${String(net.torch["torch"])} and vdnn on the same CPU, measured, ` +
      `${rounds} rounds. Ratio: median, to the framework's own plain step of the same round. ms: median step. RSS: highest ` +
      "resident set of a process that trains three steps, frameworks included.",
    header: [
      "",
      "PyTorch ratio",
      "vdnn ratio",
      "PyTorch ms",
      "vdnn ms",
      "PyTorch RSS",
      "vdnn RSS",
      "PyTorch is ahead in",
    ],
    rows: PAIRS.map((pair) => pairRow(net, pair)),
  }));
}
