/**
 * What a network is to vdnn: a recipe that builds a tf.layers model from a few numbers, and data to train it on. Two builds
 * with the same options have the same layer names and the same weights, bit for bit, in one process or in two: every
 * initializer is seeded from `seed` and the layer's name, and no name comes from TensorFlow.js's global counters.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { VdnnError } from "../errors.ts";

/** The TensorFlow.js namespace; always passed in, so that a caller chooses the copy and the backend. */
export type TensorFlow = typeof tfjs;

/** All numbers that shape a network. 0 in a network's defaults means that it has no such dimension. */
export interface NetworkSettings {
  /** Layers with weights along the main path; which values exist depends on the network. */
  readonly depth: number;
  /** Channels (chain), units (lstm, transformer), elsewhere a factor on every channel count. */
  readonly width: number;
  /** Height and width of the input images, in pixels; they have 3 channels, but 1 in the LeNets. */
  readonly imageSize: number;
  /** Tokens per sample. */
  readonly sequenceLength: number;
  /** Distinct tokens. */
  readonly vocabulary: number;
  readonly classes: number;
  readonly seed: number;
  /** `zeros` is for reading shapes of networks whose random weights would take long to make. */
  readonly initialization: "random" | "zeros";
}

export type NetworkOptions = { readonly [K in keyof NetworkSettings]?: NetworkSettings[K] | undefined };

export interface Batch {
  readonly xs: Tensor;
  readonly ys: Tensor;
}

export interface Network {
  readonly name: string;
  /** One line: what it is, its paper, what `depth` and `width` mean. */
  readonly description: string;
  readonly defaults: NetworkSettings;
  /** The loss that fits its output and the labels of `batch`. */
  readonly loss: string;
  /**
   * Builds the model; compiling it is up to the caller.
   * @throws VdnnError `ERR_INVALID_OPTION` for a number that the network cannot be built from
   */
  readonly build: (tf: TensorFlow, options?: NetworkOptions) => LayersModel;
  /** Generated samples for `model`: the same seed gives the same bits. The caller disposes both tensors. */
  readonly batch: (tf: TensorFlow, model: LayersModel, batchSize: number, seed?: number) => Batch;
}

/** Defaults shared by the networks that classify images. */
export const IMAGE_DEFAULTS: NetworkSettings = {
  depth: 0,
  width: 1,
  imageSize: 224,
  sequenceLength: 0,
  vocabulary: 0,
  classes: 1000,
  seed: 1,
  initialization: "random",
};

/** Defaults shared by the networks that classify sequences of tokens. */
export const SEQUENCE_DEFAULTS: NetworkSettings = {
  ...IMAGE_DEFAULTS,
  imageSize: 0,
  sequenceLength: 64,
  vocabulary: 1000,
  classes: 10,
};

/** Fills in a network's defaults and checks every number once. */
export function resolveOptions(
  network: { readonly name: string; readonly defaults: NetworkSettings },
  options: NetworkOptions,
): NetworkSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [option, value] of given) checkOption(network, option, value);
  return { ...network.defaults, ...(Object.fromEntries(given) as Partial<NetworkSettings>) };
}

function checkOption(network: { name: string; defaults: NetworkSettings }, option: string, got: unknown): void {
  const fail = (expected: string): never => {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `${network.name}: expected ${option} to be ${expected}, got ${JSON.stringify(got)}`,
      { network: network.name, option, got },
    );
  };
  if (!Object.hasOwn(network.defaults, option)) {
    const known = Object.keys(network.defaults).join(", ");
    throw new VdnnError("ERR_INVALID_OPTION", `${network.name}: unknown option ${option}; known are ${known}`, {
      network: network.name,
      option,
    });
  }
  if (option === "initialization") {
    if (got !== "random" && got !== "zeros") fail('"random" or "zeros"');
    return;
  }
  if (typeof got !== "number" || !Number.isFinite(got)) return void fail("a number");
  if (option === "seed") {
    if (!Number.isSafeInteger(got)) fail("an integer");
    return;
  }
  const fallback = network.defaults[option as keyof NetworkSettings];
  if (fallback === 0 && got !== 0) fail("left out, as this network has no such dimension");
  if (got < 0 || (got === 0 && fallback !== 0)) fail("positive");
  if (option !== "width" && !Number.isInteger(got)) fail("a whole number");
}

/** The error for a depth that a network's recipe does not define. */
export function unknownDepth(network: string, depth: number, expected: string): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${network}: expected depth to be ${expected}, got ${depth}`, {
    network,
    option: "depth",
    got: depth,
  });
}
