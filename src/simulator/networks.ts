/**
 * Networks by the names that papers use, at the papers' sizes: `vgg-16`, `VGG-416`, `resnet-50` are a network of `src/networks` and
 * its depth. Built without weights.
 */
import { VdnnError } from "../errors.ts";
import type { Network, NetworkOptions, TensorFlow } from "../networks/network.ts";
import { networks } from "../networks/index.ts";
import type { Optimizer } from "./emitter.ts";
import { modelGraph } from "./model-graph.ts";
import { canonical, unknownName } from "./names.ts";
import { withoutWeights } from "./shape-only.ts";
import type { WorkGraph } from "./work.ts";

/** Depths worth naming in a list; others work too where the network's recipe has them. */
const NAMED_DEPTHS: Readonly<Record<string, readonly number[]>> = {
  vgg: [16, 116, 216, 316, 416],
  resnet: [50, 101, 152],
  densenet: [121, 169, 201],
};

/** What `--network` takes, for lists and suggestions. */
export const NETWORK_NAMES: readonly string[] = Object.keys(networks).flatMap((name) => [
  name,
  ...(NAMED_DEPTHS[name] ?? []).map((depth) => `${name}-${depth}`),
]);

export interface NamedNetwork {
  readonly network: Network;
  /** The depth that the name says; undefined where it says none. */
  readonly depth: number | undefined;
}

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function networkNamed(name: string): NamedNetwork {
  const wanted = canonical(name);
  // Longest first, so that a name which starts another does not hide it.
  for (const network of Object.values(networks).toSorted((a, b) => b.name.length - a.name.length)) {
    if (!wanted.startsWith(network.name)) continue;
    const rest = wanted.slice(network.name.length);
    if (rest === "") return { network, depth: undefined };
    if (/^[1-9]\d*$/.test(rest) && network.defaults.depth !== 0) return { network, depth: Number(rest) };
  }
  throw unknownName(
    "network",
    NETWORK_NAMES.map((each) => ({ name: each })),
    name,
  );
}

export interface NetworkGraphOptions {
  readonly network: string;
  readonly batch: number;
  readonly optimizer?: Optimizer | undefined;
  /** Sizes that differ from the network's own. */
  readonly sizes?: NetworkOptions | undefined;
}

/** A training iteration of a built-in network, without times. */
export function networkGraph(
  tf: TensorFlow,
  { network: name, batch, optimizer, sizes = {} }: NetworkGraphOptions,
): WorkGraph {
  const { network, depth } = networkNamed(name);
  if (depth !== undefined && sizes.depth !== undefined && sizes.depth !== depth) {
    throw new VdnnError("ERR_INVALID_OPTION", `depth: ${name} has ${depth} layers, but depth is ${sizes.depth}`, {
      option: "depth",
      got: sizes.depth,
    });
  }
  if (!Number.isSafeInteger(batch) || batch < 1) {
    throw new VdnnError("ERR_INVALID_OPTION", `batch: expected a whole number, 1 or more, got ${batch}`, {
      option: "batch",
      got: batch,
    });
  }
  const model = withoutWeights(tf, () => network.build(tf, { ...sizes, ...(depth === undefined ? {} : { depth }) }));
  return modelGraph(model, { batch, ...(optimizer === undefined ? {} : { optimizer }) });
}
