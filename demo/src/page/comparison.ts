/** The three runs side by side, and what follows from them. */
import { formatBytes, formatMs } from "../../../src/units.ts";
import type { RunKind } from "../protocol.ts";
import { make } from "./dom.ts";
import { compareBits, peakAllocatedBytes, peakHostBytes, peakInUseBytes, typicalStepMs } from "./measures.ts";
import type { RunState, State } from "./state.ts";

interface Column {
  readonly title: string;
  readonly cell: (run: RunState, state: State) => string;
}

const ROWS: readonly RunKind[] = ["reference", "vdnn", "limited"];

const TITLES: Readonly<Record<RunKind, (run: RunState | undefined) => string>> = {
  reference: () => "Stock, no limit",
  vdnn: (run) => (run === undefined ? "vdnn" : `vdnn, ${run.settings.policy}`),
  limited: () => "Stock, same limit",
};

const COLUMNS: readonly Column[] = [
  { title: "Limit", cell: ({ limitBytes }) => (limitBytes === null ? "none" : formatBytes(limitBytes)) },
  { title: "In use", cell: (run) => bytesText(peakInUseBytes(run)) },
  { title: "Allocated", cell: (run) => bytesText(peakAllocatedBytes(run)) },
  { title: "Host", cell: (run) => (run.kind === "vdnn" ? formatBytes(peakHostBytes(run)) : "–") },
  { title: "Step", cell: (run) => msText(typicalStepMs(run)) },
  {
    title: "× stock",
    cell(run, { runs }) {
      const [ms, stockMs] = [typicalStepMs(run), typicalStepMs(runs.reference)];
      return ms === null || stockMs === null ? "–" : (ms / stockMs).toFixed(2);
    },
  },
  { title: "Outcome", cell: outcome },
];

function bytesText(bytes: number | null): string {
  return bytes === null ? "–" : formatBytes(bytes);
}

function msText(ms: number | null): string {
  return ms === null ? "–" : formatMs(ms);
}

function outcome(run: RunState, { runs }: State): string {
  const { status, failure, steps, plannedSteps } = run;
  const done = `${steps.length} of ${plannedSteps} steps`;
  if (status === "failed") {
    const step = failure?.step ?? null;
    const where = step === null ? "before the first step" : `in step ${step + 1}`;
    return failure?.code === "ERR_OUT_OF_MEMORY" ? `out of memory ${where}` : `failed ${where}`;
  }
  if (status === "loading" || status === "running") return `runs: ${done}`;
  if (status === "stopped") return `stopped: ${done}`;
  const bits = run.kind === "reference" ? null : compareBits(runs.reference, run);
  return bits === null ? done : `${done}, ${bits.same ? "same bits" : "OTHER BITS"}`;
}

export function renderComparison(region: HTMLElement, state: State): void {
  const head = make("tr", {}, [
    make("td"),
    ...COLUMNS.map(({ title }) => {
      const cell = make("th", { text: title });
      cell.scope = "col";
      return cell;
    }),
  ]);
  const rows = ROWS.map((kind) => {
    const run = state.runs[kind];
    const name = make("th", { text: TITLES[kind](run) });
    name.scope = "row";
    const cells = COLUMNS.map(({ cell }) => make("td", { text: run === undefined ? "–" : cell(run, state) }));
    return make("tr", { className: run?.status ?? "none" }, [name, ...cells]);
  });
  const caption = make("caption", { text: "Bytes are peaks; step times are medians of the later half of the steps." });
  region.replaceChildren(make("table", {}, [caption, make("thead", {}, [head]), make("tbody", {}, rows)]));
}

/** In words, what the table comes to. */
export function verdict({ runs }: State): string {
  const { reference, vdnn, limited } = runs;
  const sentences: string[] = [];
  const bits = compareBits(reference, vdnn);
  if (bits !== null) {
    const what = `${bits.steps} losses and ${bits.parameters.toLocaleString("en")} weights after step ${bits.steps}`;
    sentences.push(
      bits.same
        ? `vdnn and stock gave the same bits: ${what}.`
        : `vdnn and stock did NOT give the same bits (${what}); please report this with the adapter’s name.`,
    );
  }
  if (limited?.failure !== undefined && limited.failure !== null) {
    sentences.push(`Stock under the limit: ${limited.failure.message}.`);
  } else if (limited?.status === "finished") {
    sentences.push("Stock trains under this limit too; lower the budget to see the difference.");
  }
  if (reference?.status === "failed") {
    sentences.push(
      `Stock did not run without a limit either: ${reference.failure?.message ?? ""}. Give the budget as a size, such as 96MiB.`,
    );
  }
  return sentences.join(" ");
}
