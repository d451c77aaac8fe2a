/**
 * All stages of the talk on one chart: a row for each, a panel for each figure, every panel from 0 to its largest value.
 *
 *                     accuracy     size        DRAM traffic  energy       frames/s
 *   trained, FP32     [=====] 97 % [=====] 1 M [=====] 1 M   [####=] 1 mJ [=] 120
 *   row stationary
 */
import { document, element, INK, PALETTE, text } from "../src/report/svg.ts";
import { formatBytes } from "../src/units.ts";
import { count, energySum, energyText, type TalkResult, type TalkStage } from "./talk-result.ts";

interface Panel {
  readonly title: string;
  readonly value: (stage: TalkStage) => number;
  readonly label: (stage: TalkStage) => string;
  /** Part of the value that is drawn in the second colour. */
  readonly dark?: (stage: TalkStage) => number;
}

const PANELS: readonly Panel[] = [
  {
    title: "accuracy, measured",
    value: ({ accuracy }) => accuracy,
    label: ({ accuracy }) => `${(accuracy * 100).toFixed(1)} %`,
  },
  { title: "size, counted", value: ({ bytes }) => bytes, label: ({ bytes }) => formatBytes(bytes) },
  {
    title: "DRAM/frame, modelled",
    value: ({ dramBytes }) => dramBytes,
    label: ({ dramBytes }) => formatBytes(dramBytes),
  },
  {
    title: "energy/frame, modelled",
    value: energySum,
    label: (stage) => energyText(energySum(stage)),
    dark: ({ energyPj }) => energyPj.dram,
  },
  {
    title: "frames/s, modelled",
    value: ({ framesPerSecond }) => framesPerSecond,
    label: ({ framesPerSecond }) => count(framesPerSecond),
  },
];

const WIDTH = 1140;
const LEFT = 204;
const PANEL = (WIDTH - LEFT - 12) / PANELS.length;
/** Of a panel, for its bars; the rest is for the label behind them. */
const BAR_SHARE = 0.55;
const ROW = 46;
const BAR = 16;
const TOP = 104;
const SMALL_PX = 12;
const NOTE_LINE = 18;
const [PLAIN = INK, DARK = INK] = PALETTE;

export function renderTalkChart(result: TalkResult): string {
  const { network, frames, kept, energy, stages } = result;
  const title = `${network}: trained, pruned, shared, encoded, and run`;
  const notes = [
    `Pruned to ${(kept * 100).toFixed(1)} % of its weights. Measured on ${frames} images, on each machine's own arithmetic; modelled for one frame at a ` +
      `time, energies by the table ${energy}.`,
    "Row stationary: Eyeriss's array without gating and coding. EIE keeps its matrices in SRAM; loading them once is not counted. Bars begin at 0; orange: energy of DRAM.",
  ];
  const bottom = TOP + stages.length * ROW;
  return document(
    { width: WIDTH, height: bottom + 34 + NOTE_LINE * result.shapes.length, title, description: describe(stages) },
    [
      text({ x: 12, y: 26, "font-size": 16, "font-weight": 600 }, title),
      ...notes.map((note, i) => text({ x: 12, y: 48 + NOTE_LINE * i, "font-size": SMALL_PX }, note)),
      ...stages.flatMap(({ name, machine }, row) => [
        text({ x: 12, y: TOP + row * ROW + 13, "font-weight": 600 }, name),
        text({ x: 12, y: TOP + row * ROW + 29, "font-size": SMALL_PX }, machine),
      ]),
      ...PANELS.flatMap((panel, i) => panelOf(panel, LEFT + i * PANEL, stages)),
      ...shapesText(result).map((line, i) =>
        text({ x: 12, y: bottom + 18 + NOTE_LINE * i, "font-size": SMALL_PX }, line),
      ),
    ],
  );
}

function panelOf({ title, value, label, dark }: Panel, x: number, stages: readonly TalkStage[]): string[] {
  const most = Math.max(...stages.map(value));
  const length = (amount: number): number => (most === 0 ? 0 : (amount / most) * PANEL * BAR_SHARE);
  const bar = (y: number, amount: number, fill: string): string[] =>
    amount > 0 ? [element("rect", { x, y, width: length(amount), height: BAR, fill })] : [];
  return [
    text({ x, y: TOP - 12, "font-size": SMALL_PX, "font-weight": 600 }, title),
    ...stages.flatMap((stage, row) => {
      const y = TOP + row * ROW;
      return [
        ...bar(y, value(stage), PLAIN),
        ...bar(y, dark?.(stage) ?? 0, DARK),
        text({ x: x + length(value(stage)) + 5, y: y + 13, "font-size": SMALL_PX }, label(stage)),
      ];
    }),
  ];
}

function shapesText({ shapes }: TalkResult): string[] {
  return [
    "Fewer weights from the start, modelled from shapes on Eyeriss, one frame at a time:",
    ...shapes.map(
      (row) =>
        `${row.network}: ${(row.parameters / 1e6).toFixed(2)} M weights, ${formatBytes(row.dramBytes)} of DRAM traffic, ` +
        `${energyText(energySum(row))}, ${row.framesPerSecond.toFixed(1)} frames/s`,
    ),
  ];
}

function describe(stages: readonly TalkStage[]): string {
  return stages
    .map(
      (stage) =>
        `${stage.name} on ${stage.machine}: ${PANELS.map(({ title, label }) => `${title} ${label(stage)}`).join(", ")}.`,
    )
    .join(" ");
}
