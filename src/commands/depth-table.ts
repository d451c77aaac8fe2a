/** What `vdnn depth` prints: a table with a caption, or one JSON document (`vdnn-depth/1`). */
import type { BackendName } from "../backends/load.ts";
import { type Column, renderTable } from "../report/table.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { Subject } from "./depth-trials.ts";
import type { Largest, TrialOutcome } from "./largest.ts";
import { STOCK } from "./policy-names.ts";

export interface DepthFacts {
  readonly subject: Subject;
  readonly sizes: readonly number[];
  /** Every n-th size is tried. */
  readonly every: number;
  readonly simulated: boolean;
  /** In words. */
  readonly machine: string;
  /** Null where it is simulated. */
  readonly backend: BackendName | null;
  readonly deviceBytes: number;
  readonly headrooms: readonly number[];
  readonly steps: number;
}

export interface DepthRow {
  readonly policy: string;
  /** Null where it trains at no size. */
  readonly largest: number | null;
  readonly verdict: Largest["verdict"];
  /** The size behind the largest; null where there is none up to --max. */
  readonly nextSize: number | null;
  readonly next: TrialOutcome | null;
  /** At the largest size. */
  readonly stepMs: number | null;
  readonly peakDeviceBytes: number | null;
  /** Share of the budget that was left to what the ledger does not see; null where it is simulated. */
  readonly headroom: number | null;
  readonly trials: readonly {
    readonly size: number;
    readonly outcome: TrialOutcome["kind"];
    readonly reason?: string;
  }[];
}

export function renderDepth(facts: DepthFacts, rows: readonly DepthRow[]): string {
  const table = renderTable(depthColumns(facts, rows), rows);
  return [...heading(facts), "", ...table, "", ...caption(facts, rows), ""].join("\n");
}

export function depthColumns(facts: DepthFacts, rows: readonly DepthRow[]): Column<DepthRow>[] {
  const { searched } = facts.subject;
  const stock = rows.find(({ policy }) => policy === STOCK)?.largest ?? null;
  const ratio: Column<DepthRow>[] = stock === null ? [] : [{ title: "x stock", cell: (row) => ratioText(row, stock) }];
  return [
    { title: "policy", align: "left", cell: ({ policy }) => policy },
    { title: `largest ${searched}`, cell: largestText },
    ...ratio,
    { title: "peak", cell: ({ peakDeviceBytes }) => (peakDeviceBytes === null ? "" : formatBytes(peakDeviceBytes)) },
    { title: "step", cell: ({ stepMs }) => (stepMs === null ? "" : formatMs(stepMs)) },
    ...(facts.backend === "tensorflow" ? [headroomColumn] : []),
    { title: "trials", cell: ({ trials }) => String(trials.length) },
    { title: "one size further", align: "left", cell: nextText },
  ];
}

const headroomColumn: Column<DepthRow> = {
  title: "headroom",
  cell: ({ headroom, policy }) => (headroom === null || policy === STOCK ? "" : `${(headroom * 100).toFixed(0)}%`),
};

export function largestText({ largest, verdict }: DepthRow): string {
  if (largest === null) return "none";
  return verdict === "verified" ? String(largest) : `>= ${largest}`;
}

function ratioText({ largest, verdict }: DepthRow, stock: number): string {
  if (largest === null) return "";
  return `${verdict === "verified" ? "" : ">= "}${(largest / stock).toFixed(2)}`;
}

function nextText({ next, nextSize, verdict }: DepthRow): string {
  if (verdict === "range-end") return "not tried: --max";
  if (next === null || next.kind === "trains") return "";
  const what = { "too-large": "does not fit", timeout: "TIMED OUT", crash: "CRASHED" }[next.kind];
  return `${nextSize}: ${what}: ${shorten(next.reason)}`;
}

const REASON_CHARACTERS = 72;

function shorten(text: string): string {
  return text.length > REASON_CHARACTERS ? `${text.slice(0, REASON_CHARACTERS - 1)}…` : text;
}

export function heading({ subject, machine, deviceBytes, sizes, every }: DepthFacts): string[] {
  const { network, searched, batch, depth, optimizer } = subject;
  const other = searched === "depth" ? `batch ${batch}` : depth === undefined ? "its own depth" : `depth ${depth}`;
  const [least = 0, second] = sizes;
  const gap = second === undefined ? 0 : second - least;
  const steps = gap > 1 || (every > 1 && gap > 0) ? `, in steps of ${gap}` : "";
  const range = second === undefined ? `${least} alone` : `${least} to ${sizes.at(-1)}${steps}`;
  return [
    `largest ${searched} of ${network}, ${other}, ${optimizer}: ${range}`,
    `${machine}; budget ${formatBytes(deviceBytes)}`,
  ];
}

export function caption(
  { simulated, backend, headrooms, steps, deviceBytes }: DepthFacts,
  rows: readonly DepthRow[],
): string[] {
  const inconclusive = rows.some(({ verdict }) => verdict === "inconclusive");
  const ending = inconclusive
    ? ["TIMED OUT and CRASHED say nothing about memory: the answer is at least the size in the table."]
    : [];
  if (simulated) {
    return [
      "Simulated; nothing ran. A size fits where the policy's plan, with convolutions by their memory-optimal algorithm, keeps the",
      "budget; three sizes behind the largest were planned too. step is by that algorithm: faster ones may fit as well (vdnn simulate).",
      "stock: nothing is freed before the iteration ends. network-wide: the vDNN paper's baseline.",
      ...ending,
    ];
  }
  const how =
    backend === "tensorflow"
      ? [
          `TensorFlow's own allocator is capped at ${formatBytes(deviceBytes)}. Policies that move data plan for less, as the cap also counts`,
          `convolutions' scratch memory and fragmentation: headroom, of ${headrooms.join(", ")} the least that worked. peak: the ledger's, without those.`,
        ]
      : [
          "vdnn's policies keep the session's hard budget; stock knows none, so its metered peak is compared with the budget.",
        ];
  return [
    `Measured: every trial trains ${steps} steps in a process of its own; the size behind the largest failed twice.`,
    ...how,
    ...ending,
  ];
}

export function depthJson(facts: DepthFacts, rows: readonly DepthRow[]): string {
  const { subject, sizes, every, simulated, machine, backend, deviceBytes, headrooms, steps } = facts;
  return `${JSON.stringify({
    schema: "vdnn-depth/1",
    source: simulated ? "simulated" : "measured",
    ...subject,
    machine,
    backend,
    deviceBytes,
    headrooms: backend === "tensorflow" ? headrooms : null,
    steps: simulated ? null : steps,
    range: { least: sizes[0], most: sizes.at(-1), count: sizes.length, every },
    rows,
  })}\n`;
}
