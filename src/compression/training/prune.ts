/**
 * Iterative magnitude pruning (Han, Pool, Tran, Dally, NIPS 2015): the smallest weights of each layer go, the others are trained to
 * make up for them, and again, in rounds. The share that is kept falls by the cubic schedule of Zhu and Gupta (arXiv:1710.01878,
 * equation 1): fast while there is much that nobody misses, slowly at the end.
 */
import { invalidOption } from "../invalid.ts";
import { pruneMask } from "../pruning.ts";
import { type Classifier, type Phase, train } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import type { Masks } from "./masks.ts";
import { readWeight } from "./weights.ts";

/** Shares of the weights that are kept, by layer, above 0 and up to 1. */
export type Shares = ReadonlyMap<string, number>;

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

/** Prunes every layer to its share, without any training. */
export async function pruneTo(layers: readonly PrunableLayer[], shares: Shares, masks: Masks): Promise<void> {
  for (const { name, kernel } of layers) {
    const share = shares.get(name) ?? 1;
    masks.set(kernel, pruneMask(await readWeight(kernel), { kind: "kept", share }, name));
  }
}

/**
 * @param retraining after each round but the last, whose retraining is the caller's
 * @param onRound before that retraining
 */
export async function pruneInRounds(
  classifier: Classifier,
  layers: readonly PrunableLayer[],
  final: Shares,
  masks: Masks,
  { rounds, retraining }: { readonly rounds: number; readonly retraining: Phase },
  onRound: (round: PruningRound) => void | Promise<void> = () => undefined,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const kept = new Map(layers.map(({ name }) => [name, shareAfter(round, rounds, final.get(name) ?? 1)]));
    await pruneTo(layers, kept, masks);
    await onRound({ round, rounds, kept });
    if (round < rounds) await train(classifier, retraining, `prune/${round}`, () => masks.apply());
  }
}
