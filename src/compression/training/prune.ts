/**
 * Iterative magnitude pruning (Han, Pool, Tran, Dally, NIPS 2015): the smallest weights of each layer go, the others are trained to
 * make up for them, and again, in rounds. The share that is kept falls by the cubic schedule of Zhu and Gupta (arXiv:1710.01878,
 * equation 1): fast while there is much that nobody misses, slowly at the end. A threshold rises in equal steps.
 */
import { invalidOption } from "../invalid.ts";
import { countKept, pruneMask, type PruneRule } from "../pruning.ts";
import { type Classifier, type Phase, train } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import type { Masks } from "./masks.ts";
import { readWeight } from "./weights.ts";

/** Shares of the weights that are kept, by layer, above 0 and up to 1. */
export type Shares = ReadonlyMap<string, number>;

/** What of each layer goes, by layer; one without a rule keeps everything. */
export type Rules = ReadonlyMap<string, PruneRule>;

/** Rules whose share follows from the weights. */
export type ThresholdRule = Exclude<PruneRule, { readonly kind: "kept" }>;

export interface PruningRound {
  /** From 1. */
  readonly round: number;
  readonly rounds: number;
  readonly kept: Shares;
}

/** @throws VdnnError `ERR_INVALID_OPTION` */
export function checkShare(share: number, option: string): void {
  if (!(share > 0 && share <= 1)) {
    throw invalidOption(option, `expected a share of weights to keep, above 0 and up to 1, got ${share}`);
  }
}

/** The share that is kept after `round` of `rounds`. */
export function shareAfter(round: number, rounds: number, final: number): number {
  return final + (1 - final) * (1 - round / rounds) ** 3;
}

/** The rule of `round` of `rounds`. */
export function ruleAfter(round: number, rounds: number, final: PruneRule): PruneRule {
  switch (final.kind) {
    case "kept":
      return { kind: "kept", share: shareAfter(round, rounds, final.share) };
    case "threshold":
      return { kind: "threshold", magnitude: (final.magnitude * round) / rounds };
    case "quality":
      return { kind: "quality", quality: (final.quality * round) / rounds };
    default:
      return final satisfies never;
  }
}

/**
 * Prunes every layer by its rule, without any training.
 *
 * @returns what is left
 * @throws VdnnError `ERR_INVALID_OPTION` for a threshold above all weights of a layer
 */
export async function pruneBy(layers: readonly PrunableLayer[], rules: Rules, masks: Masks): Promise<Shares> {
  const kept = new Map<string, number>();
  for (const { name, kernel } of layers) {
    const rule = rules.get(name);
    if (rule === undefined) {
      kept.set(name, 1);
      continue;
    }
    const mask = pruneMask(await readWeight(kernel), rule, name);
    const count = countKept(mask);
    if (count === 0 && rule.kind !== "kept") {
      throw invalidOption(rule.kind, `all ${mask.length} weights of ${name} are below it; give a smaller one`);
    }
    masks.set(kernel, mask);
    kept.set(name, count / mask.length);
  }
  return kept;
}

/**
 * @param retraining after each round but the last, whose retraining is the caller's
 * @param onRound before that retraining
 * @returns what is left after the last round
 */
export async function pruneInRounds(
  classifier: Classifier,
  layers: readonly PrunableLayer[],
  final: Rules,
  masks: Masks,
  { rounds, retraining }: { readonly rounds: number; readonly retraining: Phase },
  onRound: (round: PruningRound) => void | Promise<void> = () => undefined,
): Promise<Shares> {
  let kept: Shares = new Map();
  for (let round = 1; round <= rounds; round++) {
    const rules = new Map([...final].map(([name, rule]) => [name, ruleAfter(round, rounds, rule)]));
    kept = await pruneBy(layers, rules, masks);
    await onRound({ round, rounds, kept });
    if (round < rounds) await train(classifier, retraining, `prune/${round}`, () => masks.apply());
  }
  return kept;
}
