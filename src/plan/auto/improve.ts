/**
 * Simulated annealing around the best point found so far. Moves are drawn where the plan hurts: at kernels that wait. Seeded, and
 * bounded by a count of moves; stops at the lower bound.
 */
import { randomOf, below, oneOf } from "./random.ts";
import type { Point, Search } from "./search.ts";

export interface Improved {
  readonly point: Point;
  readonly stepMs: number;
  /** Moves tried. */
  readonly moves: number;
}

export function improve(search: Search, from: Point, moves: number, seed: number, goalMs: number): Improved {
  const random = randomOf(seed);
  const { problem } = search;
  let current = from;
  let currentMs = search.evaluate(from).stepMs;
  let [best, bestMs] = [current, currentMs];
  let stalls = search.decoder.stalls.slice();
  let chosen = search.chosen.slice();
  const heat = Math.max((currentMs - goalMs) * 0.3, currentMs * 1e-3);
  let tried = 0;
  for (; tried < moves && bestMs > goalMs * (1 + 1e-6); tried++) {
    const temperature = heat * (1 - tried / moves) ** 2;
    const next = moved(current, problem, stalls, chosen, random, search.machine.deviceBytes);
    if (next === null) continue;
    const threshold = currentMs - temperature * Math.log(1 - random());
    const { stepMs, fits } = search.evaluate(next, threshold);
    if (!fits || stepMs >= threshold) continue;
    [current, currentMs] = [next, stepMs];
    stalls = search.decoder.stalls.slice();
    chosen = search.chosen.slice();
    if (stepMs < bestMs) [best, bestMs] = [next, stepMs];
  }
  return { point: best, stepMs: bestMs, moves: tried };
}

type Random = () => number;

function moved(
  point: Point,
  problem: Search["problem"],
  stalls: Float64Array,
  chosen: Uint8Array,
  random: Random,
  deviceBytes: number,
): Point | null {
  const { gaps, flat } = problem;
  if (gaps.count === 0) return null;
  const n = flat.kernelCount;
  const k = random() < 0.8 ? sampled(stalls, random) : below(n, random);
  const kind = random();
  if (kind < 0.25) return { ...point, in: nudged(point.in, pickNear(problem, chosen, k, 1, random), n, random) };
  if (kind < 0.5) return { ...point, out: nudged(point.out, pickNear(problem, chosen, k, 1, random), n, random) };
  if (kind < 0.65) {
    const g = pickNear(problem, chosen, k, 1, random);
    return g < 0 ? null : { ...point, forced: changed(point.forced, g, 0), banned: changed(point.banned, g, 1) };
  }
  if (kind < 0.8) {
    const g = pickNear(problem, chosen, k, 0, random);
    return g < 0 ? null : { ...point, forced: changed(point.forced, g, 1), banned: changed(point.banned, g, 0) };
  }
  if (kind < 0.88) {
    const g = pickNear(problem, chosen, k, 1, random);
    if (g < 0) return null;
    const [from, to] = [gaps.from[g] as number, gaps.to[g] as number];
    const at = from + 1 + Math.floor((1 - random() ** 2) * (to - from));
    const isDue = random() < 0.5;
    return isDue
      ? { ...point, due: changed(point.due, g, at) }
      : { ...point, hold: changed(point.hold, g, random() < 0.3 ? 0 : at) };
  }
  if (kind < 0.97) {
    const budgets = point.budgets.slice();
    const reach = 1 + Math.floor(random() ** 2 * Math.min(n, 200));
    const [low, high] = [Math.max(0, k - below(reach, random)), Math.min(n, k + 1 + below(reach, random))];
    const g = below(gaps.count, random);
    const bytes = random() < 0.5 ? (gaps.bytes[g] as number) : random() ** 2 * 0.1 * deviceBytes;
    const sign = random() < 0.6 ? -1 : 1;
    for (let i = low; i < high; i++) budgets[i] = Math.min(deviceBytes, (budgets[i] as number) + sign * bytes);
    return { ...point, budgets };
  }
  return { ...point, lookAhead: oneOf([0, 2, 8], random) ?? 0 };
}

/** A kernel, as likely as it waits long. */
function sampled(stalls: Float64Array, random: Random): number {
  let total = 0;
  for (const ms of stalls) total += ms;
  let left = random() * total;
  for (let k = 0; k < stalls.length; k++) {
    left -= stalls[k] as number;
    if (left < 0) return k;
  }
  return stalls.length - 1;
}

/** A gap, used or not, that is open around kernel k or ends soon after it; -1 when luck finds none. */
function pickNear({ gaps }: Search["problem"], chosen: Uint8Array, k: number, used: 0 | 1, random: Random): number {
  let found = -1;
  let distance = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 12; tries++) {
    const g = below(gaps.count, random);
    if (chosen[g] !== used) continue;
    const from = gaps.from[g] as number;
    const to = gaps.to[g] as number;
    const away = from > k ? from - k : to < k ? k - to : 0;
    if (away < distance) [found, distance] = [g, away];
    if (away === 0 && random() < 0.5) break;
  }
  return found;
}

/** Moves one gap in an order: a little, or next to another one. */
function nudged(keys: Float64Array, g: number, n: number, random: Random): Float64Array {
  if (g < 0) return keys;
  const copy = keys.slice();
  const by = random() < 0.5 ? (random() - 0.5) * 8 : (random() - 0.5) * 0.5 * n * random();
  copy[g]! += by;
  return copy;
}

function changed<T extends Uint8Array | Int32Array>(values: T, g: number, value: number): T {
  const copy = values.slice() as T;
  copy[g] = value;
  return copy;
}
