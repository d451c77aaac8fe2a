/** The page: settings in, runs started, state out to the views. Drawing waits for animation frames, which a hidden tab has none of. */
import { Conductor } from "./conductor.ts";
import { Banner } from "./banner.ts";
import { drawLineChart, drawTimeChart, memoryView, stepCaption, stepsView, stepView } from "./charts.ts";
import { renderComparison, verdict } from "./comparison.ts";
import { backendsFor, type Device, findDevices } from "./devices.ts";
import { find, setText } from "./dom.ts";
import { save } from "./exports.ts";
import { renderFacts } from "./facts.ts";
import { SettingsForm } from "./form.ts";
import { Gauge } from "./gauge.ts";
import { makeWorker } from "./make-worker.ts";
import { peakInUseBytes, shownRun } from "./measures.ts";
import { Readouts } from "./readouts.ts";
import { showInTitle, Status } from "./status.ts";
import type { State } from "./state.ts";
import type { BackendName } from "../protocol.ts";
import { trainingKey } from "../settings.ts";

/** Charts are heavier than figures. */
const CHART_MS = 200;

let devices: readonly Device[] = [];
let frame = 0;
let chartsAt = Number.NEGATIVE_INFINITY;

const conductor = new Conductor(makeWorker, (state) => {
  showInTitle(state);
  requestRender();
});
const form = new SettingsForm(find("#controls", HTMLFormElement), requestRender);
const [banner, status] = [new Banner(find("#banner", HTMLElement)), new Status()];
const gauge = new Gauge(find("#gauge", HTMLElement));
const readouts = new Readouts(find("#readouts", HTMLElement));
const stop = find("#stop", HTMLButtonElement);
const figure = (id: string): HTMLElement => find(`#${id}`, HTMLElement);

function requestRender(): void {
  if (frame === 0) frame = requestAnimationFrame(render);
}

function render(): void {
  frame = 0;
  const { state } = conductor;
  renderStop(state.active !== null);
  form.showStock(stockBytesFor(state));
  banner.render(state);
  status.render(state);
  gauge.render(state);
  readouts.render(state);
  renderComparison(figure("comparison"), state);
  setText(figure("verdict"), verdict(state));
  renderFacts(figure("facts"), state, devices);
  const files = state.runs.vdnn?.files ?? null;
  for (const id of ["export-trace", "export-report"]) find(`#${id}`, HTMLButtonElement).disabled = files === null;
  renderCharts(state);
}

/** The focus does not stay on a button that can no longer be pressed. */
function renderStop(running: boolean): void {
  if (!running && document.activeElement === stop) find("#train", HTMLButtonElement).focus();
  stop.disabled = !running;
}

function renderCharts(state: State): void {
  const wait = chartsAt + CHART_MS - performance.now();
  if (state.active !== null && wait > 0) {
    setTimeout(requestRender, wait);
    return;
  }
  chartsAt = performance.now();
  const run = shownRun(state);
  if (run === undefined) return;
  const [step, memory] = [stepView(run, state.runs.reference), memoryView(run)];
  if (step !== null) {
    drawTimeChart(figure("step-chart"), step);
    setText(figure("step-about"), stepCaption(run));
  }
  if (memory !== null) drawTimeChart(figure("memory-chart"), memory);
  const losses = stepsView(state, "Loss by step", "loss", 0, ({ loss }) => loss);
  const times = stepsView(state, "Time of each step after the first", "ms per step", 1, ({ wallMs }) => wallMs);
  if (losses !== null) drawLineChart(figure("loss-chart"), losses);
  if (times !== null) drawLineChart(figure("time-chart"), times);
}

/** What stock was measured to need for the settings in the form. */
function stockBytesFor({ runs }: State): number | null {
  const { reference } = runs;
  const isSame = reference !== undefined && trainingKey(reference.settings) === trainingKey(form.settings);
  return isSame && reference.status === "finished" ? peakInUseBytes(reference) : null;
}

/** One run, or the two of training, from the button until the last of them is over. */
function start(run: (backends: readonly BackendName[]) => Promise<void>): void {
  if (form.isRunning) return;
  form.setRunning(true);
  // On a phone the instruments are below the form.
  if (matchMedia("(max-width: 1020px)").matches) figure("instruments").scrollIntoView();
  void run(backendsFor(form.settings.backend, devices)).finally(() => form.setRunning(false));
}

find("#controls", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  start((backends) => conductor.train(form.settings, backends));
});
find("#limited", HTMLButtonElement).addEventListener("click", () => {
  start((backends) => conductor.runLimited(form.settings, backends));
});
stop.addEventListener("click", () => conductor.stop());
find("#defaults", HTMLButtonElement).addEventListener("click", () => form.toDefaults());
find("#share", HTMLButtonElement).addEventListener("click", ({ currentTarget }) => {
  const button = currentTarget as HTMLButtonElement;
  void navigator.clipboard.writeText(location.href).then(
    () => (button.textContent = "Copied"),
    () => (button.textContent = "It is in the address bar"),
  );
});
for (const which of ["trace", "report"] as const) {
  find(`#export-${which}`, HTMLButtonElement).addEventListener("click", () => {
    const run = conductor.state.runs.vdnn;
    if (run?.files !== undefined && run.files !== null) save(run.files, which, run.settings);
  });
}

new ResizeObserver(requestRender).observe(figure("instruments"));
requestRender();
void findDevices().then((found) => {
  devices = found;
  form.setDevices(found);
  requestRender();
});
