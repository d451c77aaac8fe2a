/** What goes on, in one line that is read aloud when the phase changes, and one that counts steps and is not. */
import { formatMs } from "../../../src/units.ts";
import type { RunKind } from "../protocol.ts";
import { find, setText } from "./dom.ts";
import { compareBits, shownRun } from "./measures.ts";
import type { RunState, State } from "./state.ts";

const DOING: Readonly<Record<RunKind, string>> = {
  reference: "Stock TensorFlow.js without a limit, for comparison",
  vdnn: "Training with vdnn",
  limited: "Stock TensorFlow.js under the limit",
};

const TITLE = document.title;

export class Status {
  readonly #phase = find("#status", HTMLElement);
  readonly #steps = find("#progress-text", HTMLElement);
  readonly #bar = find("#progress", HTMLProgressElement);

  render(state: State): void {
    const run = shownRun(state);
    setText(this.#phase, phaseText(state));
    if (run === undefined) return;
    const { steps, plannedSteps } = run;
    this.#bar.max = plannedSteps;
    this.#bar.value = steps.length;
    const last = steps.at(-1);
    setText(
      this.#steps,
      `step ${steps.length} of ${plannedSteps}${last === undefined ? "" : `, the last in ${formatMs(last.wallMs)}`}`,
    );
  }
}

/** The tab tells how far training is, also while the page is hidden and does not draw. */
export function showInTitle(state: State): void {
  const run = state.active === null ? undefined : state.runs[state.active];
  document.title = run === undefined ? TITLE : `${run.steps.length}/${run.plannedSteps} – ${TITLE}`;
}

export function phaseText(state: State): string {
  const { active, runs, failure, isQuiet } = state;
  if (active !== null) {
    if (isQuiet)
      return `${DOING[active]}: no step has ended for half a minute. “Stop” ends the run, also if the device hangs.`;
    const run = runs[active];
    return run?.status === "loading" ? `${DOING[active]}: loading TensorFlow.js …` : `${DOING[active]} …`;
  }
  if (failure !== null) return "Ended by a failure; see above. Change a setting, or train again.";
  const run = shownRun(state);
  return run === undefined ? "Nothing runs yet. Press “Train with vdnn”." : endText(run, state);
}

function endText(run: RunState, { runs }: State): string {
  if (Object.values(runs).some(({ status }) => status === "stopped")) {
    return "Stopped. What was measured until then is below.";
  }
  const stock = runs.limited?.status === "failed" ? " Stock under the same limit failed." : "";
  if (run.kind !== "vdnn") return `Done.${stock}`;
  if (run.status === "failed") return `vdnn did not train to the end.${stock}`;
  const bits = compareBits(runs.reference, run);
  const same = bits === null ? "" : bits.same ? ", with the same bits as stock" : ", with OTHER bits than stock";
  return `Done: vdnn trained under its budget${same}.${stock}`;
}
