/**
 * Hill climbing on a choice of re-runs: adds what closes one gap, alone or with the chain that it needs, mostly a gap that is open
 * where the plan hurts; or takes one re-run away, or all before one kernel. What is no slower is kept.
 */
import { randomOf, oneOf } from "./random.ts";
import { toPairs } from "./recompute.ts";
import { type RecomputeCandidate, recomputeCandidates } from "./recompute-candidates.ts";
import type { Model } from "./recompute-model.ts";
import type { Snapshot } from "./recompute-prices.ts";

export interface Flippable {
  readonly pairs: Snapshot;
  readonly stepMs: number;
  /** For each original kernel, how much a byte too many there hurts; any unit. */
  readonly hurt: Float64Array;
}

export interface FlipOptions {
  /** Choices that are tried. */
  readonly flips: number;
  readonly seed: number;
  readonly goalMs: number;
}

/** @param evaluate null for what does not fit; may be null for what is not below the limit */
export function flip<T extends Flippable>(
  from: T,
  model: Model,
  { flips, seed, goalMs }: FlipOptions,
  evaluate: (pairs: Snapshot, limitMs: number) => T | null,
): T {
  const random = randomOf(seed);
  const isThere = from.stepMs <= goalMs * (1 + 1e-6);
  const candidates = flips === 0 || isThere ? [] : recomputeCandidates(model);
  // Where there are few gaps to choose from, what is drawn has often been refused before.
  const refused = new Set<string>();
  let best = from;
  let idle = 0;
  for (let i = 0; i < flips && idle < PATIENCE && best.stepMs > goalMs * (1 + 1e-6); i++) {
    const picked = pick(candidates, best.hurt, random);
    if (picked === undefined) break;
    const isRemoval = best.pairs.length > 0 && random() < 0.4;
    const reruns = random() < 0.5 ? picked.reruns.slice(0, 1) : picked.reruns;
    const pairs = isRemoval ? without(best.pairs, random) : [...best.pairs, ...toPairs(model, reruns)];
    idle++;
    const name = pairs.join();
    if (refused.has(name)) continue;
    const found = evaluate(Int32Array.from(pairs), best.stepMs * (1 + 1e-12));
    if (found === null || found.stepMs > best.stepMs) {
      refused.add(name);
      continue;
    }
    if (found.stepMs < best.stepMs * (1 - WORTH_GOING_ON)) idle = 0;
    best = found;
  }
  return best;
}

/** Flips in a row that win nothing, or next to nothing, after which no more are tried. */
const PATIENCE = 80;
const WORTH_GOING_ON = 1e-6;

/** Mostly one that is away where it hurts. */
function pick(
  candidates: readonly RecomputeCandidate[],
  hurt: Float64Array,
  random: () => number,
): RecomputeCandidate | undefined {
  const any = (): RecomputeCandidate | undefined => oneOf(candidates, random);
  if (random() < 0.3) return any();
  let total = 0;
  for (const ms of hurt) total += ms;
  let left = random() * total;
  let k = 0;
  while (k < hurt.length - 1 && (left -= hurt[k] as number) >= 0) k++;
  let picked = any();
  for (let tries = 0; tries < 20 && picked !== undefined; tries++) {
    if (picked.lastUse < k && k <= picked.before) break;
    picked = any();
  }
  return picked;
}

/** Without one re-run, or without all before one kernel. */
function without(pairs: Snapshot, random: () => number): number[] {
  const at = 2 * Math.floor((random() * pairs.length) / 2);
  const isStage = random() < 0.5;
  const left: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    if (isStage ? pairs[i + 1] !== pairs[at + 1] : i !== at) left.push(pairs[i] as number, pairs[i + 1] as number);
  }
  return left;
}
