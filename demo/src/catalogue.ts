/** The networks that the page offers, with shapes that say something on the device at hand within some twenty seconds. */
import type { Speed } from "./settings.ts";

export type NetworkName = "chain" | "vgg" | "resnet" | "densenet" | "mobilenet" | "lenet5" | "transformer" | "lstm";

interface Shape {
  readonly depth: number;
  readonly batch: number;
  readonly side: number;
  readonly width: number;
}

export interface NetworkEntry {
  readonly title: string;
  /** One line for people. */
  readonly about: string;
  /** To choose from; empty where the network has one depth. */
  readonly depths: readonly number[];
  /** Depths beyond those in the list work too. */
  readonly anyDepth: boolean;
  readonly sideLabel: string;
  readonly widthLabel: string;
  readonly shapes: Readonly<Record<Speed, Shape>>;
}

const IMAGE = { sideLabel: "Image side, pixels", widthLabel: "Width, factor on all channels" };
const TOKENS = { sideLabel: "Tokens per sample", widthLabel: "Width, channels" };

export const NETWORKS: Readonly<Record<NetworkName, NetworkEntry>> = {
  chain: {
    title: "Chain of convolutions",
    about: "Equal 3 × 3 convolutions in a row: little arithmetic per byte, the hardest case for moving memory.",
    depths: [4, 8, 12, 16, 24, 32, 48, 64, 100, 200, 400],
    anyDepth: true,
    sideLabel: IMAGE.sideLabel,
    widthLabel: TOKENS.widthLabel,
    shapes: {
      gpu: { depth: 32, batch: 32, side: 32, width: 32 },
      processor: { depth: 16, batch: 8, side: 16, width: 16 },
      emulated: { depth: 8, batch: 2, side: 16, width: 8 },
    },
  },
  vgg: {
    title: "VGG",
    about: "The network of the vDNN paper; 116 and more are its very deep variants.",
    depths: [16, 116, 216, 316, 416],
    anyDepth: false,
    ...IMAGE,
    shapes: {
      gpu: { depth: 16, batch: 32, side: 64, width: 0.5 },
      processor: { depth: 16, batch: 4, side: 32, width: 0.125 },
      emulated: { depth: 16, batch: 2, side: 16, width: 0.0625 },
    },
  },
  resnet: {
    title: "ResNet",
    about: "Residual blocks with batch normalization; 50, 101 and 152 have bottlenecks.",
    depths: [8, 14, 20, 32, 44, 50, 56, 101, 110, 152],
    anyDepth: false,
    ...IMAGE,
    shapes: {
      gpu: { depth: 50, batch: 16, side: 64, width: 0.5 },
      processor: { depth: 14, batch: 8, side: 16, width: 0.5 },
      emulated: { depth: 8, batch: 4, side: 16, width: 0.5 },
    },
  },
  densenet: {
    title: "DenseNet",
    about: "Every layer reads all before it: memory grows with the square of a block’s depth.",
    depths: [10, 16, 22, 40, 100, 121],
    anyDepth: false,
    ...IMAGE,
    shapes: {
      gpu: { depth: 40, batch: 32, side: 32, width: 1 },
      processor: { depth: 16, batch: 4, side: 16, width: 0.5 },
      emulated: { depth: 10, batch: 2, side: 16, width: 0.5 },
    },
  },
  mobilenet: {
    title: "MobileNet",
    about: "Depthwise and pointwise convolutions in turn, with batch normalization.",
    depths: [],
    anyDepth: false,
    ...IMAGE,
    shapes: {
      gpu: { depth: 0, batch: 32, side: 96, width: 0.5 },
      processor: { depth: 0, batch: 4, side: 32, width: 0.25 },
      emulated: { depth: 0, batch: 2, side: 32, width: 0.125 },
    },
  },
  lenet5: {
    title: "LeNet-5",
    about: "Two convolutions and two dense layers: most of its memory is weights, which stay on the device.",
    depths: [],
    anyDepth: false,
    ...IMAGE,
    shapes: {
      gpu: { depth: 0, batch: 256, side: 28, width: 1 },
      processor: { depth: 0, batch: 32, side: 28, width: 0.5 },
      emulated: { depth: 0, batch: 16, side: 28, width: 0.25 },
    },
  },
  transformer: {
    title: "Transformer encoder",
    about: "Attention and feed-forward blocks over tokens, learned positions.",
    depths: [1, 2, 4, 8, 12, 24],
    anyDepth: true,
    ...TOKENS,
    shapes: {
      gpu: { depth: 8, batch: 32, side: 128, width: 128 },
      processor: { depth: 4, batch: 4, side: 32, width: 32 },
      emulated: { depth: 2, batch: 2, side: 16, width: 32 },
    },
  },
  lstm: {
    title: "LSTM",
    about: "Recurrent layers over tokens: a tape of many small tensors.",
    depths: [1, 2, 3, 4],
    anyDepth: true,
    ...TOKENS,
    shapes: {
      gpu: { depth: 2, batch: 64, side: 32, width: 128 },
      processor: { depth: 1, batch: 8, side: 16, width: 32 },
      emulated: { depth: 1, batch: 4, side: 8, width: 32 },
    },
  },
};

/** The choice of depths, and the least that the hash may ask for. */
export function depthsOf(network: NetworkName): { readonly depths: readonly number[]; readonly least: number } {
  const { depths } = NETWORKS[network];
  return { depths, least: depths.length === 0 ? 0 : 1 };
}
