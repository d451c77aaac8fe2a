/** Six figures of the run, each with what it is measured against. */
import { formatBytes, formatMs } from "../../../src/units.ts";
import { make, setText } from "./dom.ts";
import {
  compareBits,
  movedBytes,
  peakAllocatedBytes,
  peakHostBytes,
  peakInUseBytes,
  shownRun,
  typicalStepMs,
} from "./measures.ts";
import type { RunState, State } from "./state.ts";

interface Figure {
  readonly value: string;
  readonly note: string;
  readonly tone?: "good" | "bad";
}

const NONE: Figure = { value: "–", note: "" };

type Measure = (run: RunState, state: State) => Figure;

const FIGURES: Readonly<Record<string, Measure>> = {
  Loss(run) {
    const last = run.steps.at(-1);
    if (last === undefined) return NONE;
    return { value: last.loss.toFixed(4), note: `step ${last.index + 1}; ${firstLoss(run)} at first` };
  },
  "Step time"(run, { runs }) {
    const [ms, stockMs] = [typicalStepMs(run), typicalStepMs(runs.reference)];
    if (ms === null) return NONE;
    if (run.kind === "reference" || stockMs === null) return { value: formatMs(ms), note: "median of the later half" };
    return { value: formatMs(ms), note: `${(ms / stockMs).toFixed(2)} × stock’s ${formatMs(stockMs)}` };
  },
  "Device peak"(run, { runs }) {
    const peak = peakInUseBytes(run);
    const allocated = peakAllocatedBytes(run);
    if (peak === null) return allocated === null ? NONE : { value: formatBytes(allocated), note: "allocated" };
    const stock = peakInUseBytes(runs.reference);
    const note =
      run.kind === "reference" || stock === null
        ? "in use, without a limit"
        : `in use; ${Math.round((peak / stock) * 100)} % of stock’s`;
    return { value: formatBytes(peak), note };
  },
  "Host peak"(run) {
    if (run.kind !== "vdnn") return { value: "–", note: "stock keeps nothing there" };
    return { value: formatBytes(peakHostBytes(run)), note: "what left the device" };
  },
  "Moved per step"(run) {
    const moved = movedBytes(run);
    if (run.kind !== "vdnn" || moved === null) return NONE;
    return { value: formatBytes(moved), note: "both ways, median" };
  },
  "Same bits as stock"(_run, { runs }) {
    const bits = compareBits(runs.reference, runs.vdnn);
    if (bits === null) return { value: "–", note: "after both ran" };
    const note = `${bits.steps} losses, ${bits.parameters.toLocaleString("en")} weights`;
    return bits.same ? { value: "yes", note, tone: "good" } : { value: "NO", note, tone: "bad" };
  },
};

export class Readouts {
  readonly #cells = new Map<string, { readonly value: HTMLElement; readonly note: HTMLElement }>();

  constructor(root: HTMLElement) {
    for (const title of Object.keys(FIGURES)) {
      const value = make("dd", { className: "value", text: "–" });
      const note = make("dd", { className: "note", text: "\u00A0" });
      root.append(make("div", {}, [make("dt", { text: title }), value, note]));
      this.#cells.set(title, { value, note });
    }
  }

  render(state: State): void {
    const run = shownRun(state);
    for (const [title, measure] of Object.entries(FIGURES)) {
      const { value, note, tone } = run === undefined ? { ...NONE, tone: undefined } : measure(run, state);
      const cell = this.#cells.get(title);
      if (cell === undefined) continue;
      setText(cell.value, value);
      setText(cell.note, note === "" ? "\u00A0" : note);
      cell.value.dataset["tone"] = tone ?? "";
    }
  }
}

function firstLoss({ steps }: RunState): string {
  return steps[0]?.loss.toFixed(4) ?? "–";
}
