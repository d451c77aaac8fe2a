/** The events of one step as rows of bars: which lane, what colour, how few will do. */
import { formatBytes, formatMs } from "../units.ts";
import { LANES } from "./trace-events.ts";
import type { Lane, LaneEvent, TraceEvent } from "./result.ts";

/** What a bar's colour says. `again` is a kernel that runs a second time. */
export type BarKind = "forward" | "backward" | "update" | "again" | Exclude<Lane, "compute">;

export interface Bar {
  readonly kind: BarKind;
  readonly fromMs: number;
  readonly toMs: number;
  /** How many spans of the trace it stands for. */
  readonly spans: number;
  /** For people: the first span's name, and how long all of it took. */
  readonly label: string;
}

export interface LaneRow {
  readonly name: string;
  /** Ascending. */
  readonly bars: readonly Bar[];
  /** Time in which at least one of them runs, ms. */
  readonly busyMs: number;
}

export interface Pass {
  readonly name: "forward" | "backward" | "update";
  readonly fromMs: number;
  readonly toMs: number;
}

/** These four are shown even where nothing happens on them: that too is an answer. */
const ALWAYS: ReadonlySet<Lane> = new Set(["compute", "offload", "prefetch", "stall"]);

/** @param fromMs when the step begins; times in rows are from then on */
export function laneRows(events: readonly TraceEvent[], fromMs = 0): LaneRow[] {
  return LANES.flatMap(([lane, name]) => {
    const bars = events
      .flatMap((event) => (event.kind === "span" && event.lane === lane ? [barOf(event, fromMs)] : []))
      .sort((a, b) => a.fromMs - b.fromMs);
    return bars.length === 0 && !ALWAYS.has(lane) ? [] : [{ name, bars, busyMs: busyMs(bars) }];
  });
}

function barOf({ lane, name, pass, layer, startMs, durationMs, bytes }: LaneEvent, originMs: number): Bar {
  const again = /\(again\)$|^recompute /.test(name);
  const kind = lane !== "compute" ? lane : again ? "again" : (pass ?? "forward");
  const where = layer === undefined || layer === "" || name.includes(layer) ? name : `${layer} ${name}`;
  const size = bytes === undefined ? "" : `, ${formatBytes(bytes)}`;
  const fromMs = Math.max(0, startMs - originMs);
  return {
    kind,
    fromMs,
    toMs: Math.max(fromMs, startMs - originMs + durationMs),
    spans: 1,
    label: `${where}: ${formatMs(durationMs)}${size}`,
  };
}

/** When the passes of the step run, where kernels say so. Each ends where the next begins. */
export function passesOf(events: readonly TraceEvent[], fromMs: number, endMs: number): Pass[] {
  const firsts = new Map<Pass["name"], number>();
  for (const event of events) {
    if (event.kind !== "span" || event.lane !== "compute" || event.pass === undefined) continue;
    const at = Math.max(0, event.startMs - fromMs);
    firsts.set(event.pass, Math.min(firsts.get(event.pass) ?? Number.POSITIVE_INFINITY, at));
  }
  const starts = [...firsts].sort(([, a], [, b]) => a - b);
  return starts.map(([name, from], i) => ({ name, fromMs: i === 0 ? 0 : from, toMs: starts[i + 1]?.[1] ?? endMs }));
}

/**
 * Joins bars that are too narrow to be seen with their neighbours of the same kind, so that a row has no more bars than it has
 * places for them.
 *
 * @param leastMs the narrowest bar that is worth its place
 */
export function joinBars(bars: readonly Bar[], leastMs: number): Bar[] {
  const joined: Bar[] = [];
  for (const bar of bars) {
    const last = joined.at(-1);
    const isNarrow = last !== undefined && (last.toMs - last.fromMs < leastMs || bar.toMs - bar.fromMs < leastMs);
    const isNear = last !== undefined && bar.fromMs - last.toMs < leastMs / 2;
    // Bars of a wider group end at the least width, so that what is dense still looks like many.
    const fits = last !== undefined && bar.toMs - last.fromMs < 2 * leastMs;
    if (last !== undefined && last.kind === bar.kind && isNarrow && isNear && fits) {
      const spans = last.spans + bar.spans;
      const toMs = Math.max(last.toMs, bar.toMs);
      const label = `${spans} from ${last.label.replace(/^\d+ from /, "").replace(/:.*$/, "")}: ${formatMs(toMs - last.fromMs)}`;
      joined[joined.length - 1] = { ...last, toMs, spans, label };
    } else joined.push(bar);
  }
  return joined;
}

function busyMs(bars: readonly Bar[]): number {
  let [sum, end] = [0, 0];
  for (const { fromMs, toMs } of bars) {
    sum += Math.max(0, toMs - Math.max(fromMs, end));
    end = Math.max(end, toMs);
  }
  return sum;
}
