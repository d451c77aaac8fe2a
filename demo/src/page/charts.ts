/** The charts of the page, drawn by the code that draws those of reports, at the width that there is. */
import { type LineChart, renderLineChart } from "../../../src/report/chart.ts";
import { lineChartLegend, timeChartLegend } from "../../../src/report/html/charts.ts";
import type { LegendEntry } from "../../../src/report/html/page.ts";
import { deviceSamples, limitsOf, stepChart, tierSeries } from "../../../src/report/step-view.ts";
import { renderTimeChart, type TimeChart } from "../../../src/report/time-chart.ts";
import { formatMs } from "../../../src/units.ts";
import type { Picture, StepFacts } from "../protocol.ts";
import { make } from "./dom.ts";
import type { RunState, State } from "./state.ts";

const NARROWEST = 300;
/** More iterations than this would hide what their bands separate. */
const MOST_BANDS = 40;
const SMALL_HEIGHT = 240;

/** As the bar of stock in the gauge. */
const STOCK_LINE = "var(--ink)";

/** One step of the run; stock's as a dashed outline beside it, on its own clock. */
export function stepView(run: RunState, reference: RunState | undefined): TimeChart | null {
  if (run.picture === null) return null;
  const { index, events } = run.picture;
  const chart = stepChart(`Step ${index + 1}`, events, { deviceBytes: run.limitBytes });
  if (run.kind === "reference") return { ...chart, lanes: [] };
  const stock = reference?.picture;
  if (stock === undefined || stock === null) return chart;
  const outline = deviceSamples(stock.events);
  const stockEndMs = outline.at(-1)?.timeMs ?? 0;
  return {
    ...chart,
    // Whichever takes longer is seen to its end.
    endMs: Math.max(chart.endMs, stockEndMs),
    series: [
      ...chart.series.map((series) => ({ ...series, endMs: chart.endMs })),
      {
        name: "device, under stock without a limit",
        colour: STOCK_LINE,
        dash: "7 5",
        samples: outline,
        endMs: stockEndMs,
      },
    ],
  };
}

export function memoryView({ picture, limitBytes }: RunState): TimeChart | null {
  if (picture === null || picture.memory.length === 0) return null;
  const { memory, startsMs } = picture;
  const fromMs = memory[0]?.timeMs ?? 0;
  const endMs = (memory.at(-1)?.timeMs ?? 0) - fromMs;
  return {
    title: "Memory since the run began",
    endMs,
    series: tierSeries(memory, fromMs),
    limits: limitsOf({ deviceBytes: limitBytes }),
    bands: startsMs.length > MOST_BANDS ? [] : bandsOf(startsMs, fromMs, endMs),
    lanes: [],
  };
}

function bandsOf(startsMs: Picture["startsMs"], fromMs: number, endMs: number): TimeChart["bands"] {
  return startsMs.map((start, i) => ({
    name: String(i + 1),
    fromMs: Math.max(0, start - fromMs),
    toMs: Math.max(0, (startsMs[i + 1] ?? endMs + fromMs) - fromMs),
  }));
}

/** Stock is a reference, drawn over what it is compared with: where both are the same, both are seen. */
const SERIES = [
  { kind: "vdnn", name: "vdnn", look: 0, style: "line" },
  { kind: "limited", name: "stock under the limit", look: 5, style: "line" },
  { kind: "reference", name: "stock", look: 0, style: "dashed" },
] as const;

/** @param from the first step that is shown */
export function stepsView(
  { runs }: State,
  title: string,
  label: string,
  from: number,
  value: (step: StepFacts) => number,
): LineChart | null {
  const series = SERIES.flatMap(({ kind, name, look, style }) => {
    const points = (runs[kind]?.steps ?? []).slice(from).map((step) => ({ x: step.index + 1, y: value(step) }));
    return points.length === 0 ? [] : [{ name, look, style, points }];
  });
  if (series.length === 0) return null;
  return {
    title,
    description: series
      .map(
        ({ name, points }) =>
          `${name}: ${points.at(0)?.y.toPrecision(4)} first, ${points.at(-1)?.y.toPrecision(4)} last, ${points.length} steps.`,
      )
      .join(" "),
    x: { label: "step", kind: "linear", ticks: 5, format: wholeSteps },
    y: { label, kind: "linear", ticks: 4 },
    series,
  };
}

/** There is no step between two. */
function wholeSteps(step: number): string {
  return Number.isInteger(step) ? String(step) : "";
}

export function drawTimeChart(figure: HTMLElement, chart: TimeChart): void {
  draw(figure, renderTimeChart(chart, { id: figure.id, width: widthOf(figure) }), timeChartLegend(chart));
}

export function drawLineChart(figure: HTMLElement, chart: LineChart): void {
  const size = { width: widthOf(figure), height: SMALL_HEIGHT };
  draw(figure, renderLineChart({ ...chart, ...size, id: figure.id }), lineChartLegend(chart));
}

function widthOf(figure: HTMLElement): number {
  return Math.max(NARROWEST, Math.round(figure.clientWidth));
}

/** The markup is our own; names in it were escaped when it was made. */
function draw(figure: HTMLElement, svg: string, legend: readonly LegendEntry[]): void {
  const list = make("ul", { className: "legend" });
  for (const { name, swatch } of legend) {
    const item = make("li", {}, []);
    item.innerHTML = swatch;
    item.append(make("span", { text: name }));
    list.append(item);
  }
  figure.innerHTML = svg;
  figure.append(list);
}

export function stepCaption(run: RunState): string {
  const { picture } = run;
  if (picture === null) return "";
  const mode = {
    recorded: "recorded, before there is a plan: data leaves only when the budget is near",
    planned: "following its plan",
    deviated: "left its plan midway",
    stock: "stock TensorFlow.js, metered and otherwise untouched",
  }[picture.mode];
  const last = run.steps.find(({ index }) => index === picture.index);
  const time = last === undefined ? "" : ` ${formatMs(last.wallMs)} in all.`;
  return `Step ${picture.index + 1}, ${mode}.${time}`;
}
