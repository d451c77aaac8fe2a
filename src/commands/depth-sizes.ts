/** Which sizes a search can try: every batch size, or the depths that a network's recipe defines, in ascending order. */
import { VdnnError } from "../errors.ts";
import { networkNamed } from "../simulator/networks.ts";

export type Searched = "depth" | "batch";

/** Where a recipe's depths begin and how far they are apart. */
interface Depths {
  readonly first: number;
  readonly step: number;
  /** Depths in between that are another family of the network, with other blocks. */
  readonly except?: readonly number[];
}

/** One family per network: sizes of two families do not compare. */
const DEPTHS: Readonly<Record<string, Depths>> = {
  chain: { first: 1, step: 1 },
  lstm: { first: 1, step: 1 },
  transformer: { first: 1, step: 1 },
  // The recipe of the vDNN paper: 20 more convolutions in each of the five groups.
  vgg: { first: 16, step: 100 },
  // The basic blocks for CIFAR; 50 and 152 are bottleneck networks.
  resnet: { first: 8, step: 6, except: [50, 152] },
  densenet: { first: 10, step: 6 },
};

export interface SizesOptions {
  readonly network: string;
  readonly searched: Searched;
  /** No size beyond. */
  readonly max: number;
  /** Every n-th size. Default 1. */
  readonly every?: number;
}

/** @throws VdnnError `ERR_INVALID_OPTION` where the network has one depth, or none up to `max` */
export function sizesOf({ network: name, searched, max, every = 1 }: SizesOptions): number[] {
  const { network, depth } = networkNamed(name);
  if (searched === "batch") return ascending({ first: every, step: every }, max);
  if (depth !== undefined) {
    throw invalid("network", name, `${name} has ${depth} layers, so there is no depth to search: name ${network.name}`);
  }
  const depths = DEPTHS[network.name];
  if (depths === undefined) {
    const known = Object.keys(DEPTHS).join(", ");
    throw invalid("network", name, `${name} has one depth; with --search depth use one of ${known}, or --search batch`);
  }
  const sizes = ascending({ ...depths, step: depths.step * every }, max);
  if (sizes.length === 0) throw invalid("max", max, `the smallest ${name} has ${depths.first} layers, got ${max}`);
  return sizes;
}

function ascending({ first, step, except = [] }: Depths, max: number): number[] {
  const count = Math.max(0, Math.floor((max - first) / step) + 1);
  return Array.from({ length: count }, (_, i) => first + i * step).filter((size) => !except.includes(size));
}

function invalid(option: string, got: unknown, text: string): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${option}: ${text}`, { option, got });
}
