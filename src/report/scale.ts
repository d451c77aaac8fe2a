/** Axes of charts: from values to pixels, and the values that get a tick. */

export interface Scale {
  readonly kind: "linear" | "log";
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  /** A place between 0 (at `from`) and 1 (at `to`). */
  at(value: number): number;
}

/** Values this many times apart hide each other on a linear axis. */
const LOG_FROM_RATIO = 8;
const LOG_STEPS = [1, 2, 5];
/** Round numbers are too far apart to end a logarithmic axis at: it ends this factor beyond its values. */
const LOG_MARGIN = 1.1;

export interface ScaleOptions {
  /** Default: log where the values are far apart and positive. */
  readonly kind?: "linear" | "log" | undefined;
  /** A value that the axis is to reach down to: 0 for bars. */
  readonly from?: number | undefined;
  /** About this many ticks. Default 5. */
  readonly ticks?: number | undefined;
}

/** An axis on which all values have a place; a linear one ends at round numbers. Without values it is from 0 to 1. */
export function scaleFor(values: readonly number[], options: ScaleOptions = {}): Scale {
  const finite = values.filter(Number.isFinite);
  let [least, most] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
  if (options.from !== undefined) least = Math.min(least, options.from);
  if (least === most) [least, most] = least === 0 ? [0, 1] : [least - Math.abs(least) / 10, most + Math.abs(most) / 10];
  const kind = options.kind ?? (least > 0 && most / least > LOG_FROM_RATIO ? "log" : "linear");
  return kind === "log" && least > 0 ? logScale(least, most) : linearScale(least, most, options.ticks ?? 5);
}

function linearScale(least: number, most: number, count: number): Scale {
  const step = roundStep((most - least) / count);
  const first = Math.floor(least / step + 1e-9);
  const last = Math.ceil(most / step - 1e-9);
  const [from, to] = [first * step, last * step];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { kind: "linear", from, to, ticks, at: (value) => (value - from) / (to - from) };
}

function logScale(least: number, most: number): Scale {
  const [from, to] = [least / LOG_MARGIN, most * LOG_MARGIN];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const step of LOG_STEPS) {
      const tick = Number((step * 10 ** power).toPrecision(12));
      if (tick >= from && tick <= to) ticks.push(tick);
    }
  }
  return { kind: "log", from, to, ticks, at: (value) => Math.log(value / from) / Math.log(to / from) };
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 5, 10].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10) * power;
}
