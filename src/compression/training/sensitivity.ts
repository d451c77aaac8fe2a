/**
 * How much accuracy each layer costs when it alone is pruned (Han et al., NIPS 2015, figure 6), and the shares that follow from it: all
 * layers are pruned until each costs the same, and the total is what was asked for.
 */
import type { LabeledImages } from "../../data/images.ts";
import { sizeOf } from "../model.ts";
import { applyMask, pruneMask } from "../pruning.ts";
import { accuracyOf, type Classifier } from "./classifier.ts";
import type { PrunableLayer } from "./layers.ts";
import { checkShare, type Shares } from "./prune.ts";
import { readWeight, writeWeight } from "./weights.ts";

export interface SensitivityPoint {
  /** Kept of this layer. */
  readonly share: number;
  /** With all other layers dense, nothing retrained. */
  readonly accuracy: number;
}

export interface LayerSensitivity {
  readonly name: string;
  readonly weights: number;
  /** From the largest share to the smallest. */
  readonly points: readonly SensitivityPoint[];
}

export interface Sensitivities {
  /** Of the dense network on the same images. */
  readonly dense: number;
  readonly layers: readonly LayerSensitivity[];
}

export const DEFAULT_SHARES: readonly number[] = [0.5, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05, 0.03, 0.02];

/** Bisection halves the interval of costs this often, which is below what any accuracy resolves. */
const HALVINGS = 40;

/**
 * The model has its weights back afterwards.
 *
 * @param images to measure on; not those that the result is judged by
 * @param onLayer before each layer
 * @throws VdnnError `ERR_INVALID_OPTION` for a share out of range
 */
export async function measureSensitivities(
  classifier: Classifier,
  layers: readonly PrunableLayer[],
  images: LabeledImages,
  shares: readonly number[] = DEFAULT_SHARES,
  onLayer: (name: string) => void = () => undefined,
): Promise<Sensitivities> {
  for (const share of shares) checkShare(share, "sensitivity share");
  const descending = shares.toSorted((a, b) => b - a);
  const dense = await accuracyOf(classifier, images);
  const measured: LayerSensitivity[] = [];
  for (const layer of layers) {
    onLayer(layer.name);
    measured.push({
      name: layer.name,
      weights: sizeOf(layer.shape),
      points: await measureLayer(classifier, layer, images, descending),
    });
  }
  return { dense, layers: measured };
}

async function measureLayer(
  classifier: Classifier,
  { name, kernel }: PrunableLayer,
  images: LabeledImages,
  shares: readonly number[],
): Promise<SensitivityPoint[]> {
  const { tf } = classifier;
  const weights = await readWeight(kernel);
  const points: SensitivityPoint[] = [];
  try {
    for (const share of shares) {
      writeWeight(tf, kernel, applyMask(weights, pruneMask(weights, { kind: "kept", share }, name)));
      points.push({ share, accuracy: await accuracyOf(classifier, images) });
    }
  } finally {
    writeWeight(tf, kernel, weights);
  }
  return points;
}

/**
 * Shares by layer that keep `target` of all weights together, and cost each layer the same accuracy as far as its measured points
 * reach; where that is not few enough, all give up the same proportion more.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for a target out of range
 */
export function chooseShares({ dense, layers }: Sensitivities, target: number): Shares {
  checkShare(target, "share to keep");
  const total = layers.reduce((sum, { weights }) => sum + weights, 0);
  const sharesAt = (cost: number): number[] => layers.map((layer) => shareAtCost(layer, dense, cost));
  const kept = (shares: readonly number[]): number =>
    shares.reduce((sum, share, i) => sum + share * (layers[i]?.weights ?? 0), 0) / total;
  let [cheap, dear] = [0, 1];
  let more: readonly number[] = layers.map(() => 1);
  let fewer = sharesAt(dear);
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (cheap + dear) / 2;
    const shares = sharesAt(middle);
    if (kept(shares) > target) [cheap, more] = [middle, shares];
    else [dear, fewer] = [middle, shares];
  }
  const [upper, lower] = [kept(more), kept(fewer)];
  // Where layers lose much at no cost, shares jump there, and the target lies within the jump.
  const blend = upper > lower ? (target - lower) / (upper - lower) : 0;
  const chosen =
    lower > target
      ? fewer.map((share) => (share * target) / lower)
      : fewer.map((share, i) => share + blend * ((more[i] ?? 1) - share));
  return new Map(layers.map(({ name }, i) => [name, Math.min(1, chosen[i] ?? 1)]));
}

/** The smallest share whose cost is at most `cost`, linear between the points. Costs that fall again count as the highest before. */
function shareAtCost({ points }: LayerSensitivity, dense: number, cost: number): number {
  let [share, reached] = [1, 0];
  for (const point of points) {
    const here = Math.max(reached, dense - point.accuracy);
    if (here > cost) return share + ((point.share - share) * (cost - reached)) / (here - reached);
    [share, reached] = [point.share, here];
  }
  return share;
}
