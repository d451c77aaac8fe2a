/** What ISCA 2016 shows of row stationary: figure 10, AlexNet with 16 maps on 256 elements. */
import type { LayerShape } from "../layer.ts";
import { ALEXNET } from "../eyeriss/published.ts";

const BATCH = 16;

function fullyConnected(name: string, channels: number, size: number, filters: number): LayerShape {
  const map = { inputHeight: size, inputWidth: size, filterHeight: size, filterWidth: size };
  return {
    name,
    kind: "fully-connected",
    batch: BATCH,
    channels,
    filters,
    groups: 1,
    ...map,
    outputHeight: 1,
    outputWidth: 1,
    stride: 1,
    bias: true,
  };
}

export const FIG10_LAYERS: readonly LayerShape[] = [
  ...ALEXNET.map(({ shape }) => ({ ...shape, name: shape.name.toLowerCase(), batch: BATCH })),
  fullyConnected("fc1", 256, 6, 4096),
  fullyConnected("fc2", 4096, 1, 4096),
  fullyConnected("fc3", 4096, 1, 1000),
];

export interface Fig10Energy {
  readonly layer: string;
  readonly arithmetic: number;
  readonly dram: number;
  readonly registers: number;
}

/**
 * In 1e9 MACs, read from the figure to 0.1: the values that the reference test of nn_dataflow (Gao et al., ASPLOS 2017) holds its own
 * model against. Buffer and array are not compared there.
 */
export const FIG10: readonly Fig10Energy[] = [
  { layer: "conv1", arithmetic: 1.69, dram: 2.46, registers: 6.75 },
  { layer: "conv2", arithmetic: 3.58, dram: 2.27, registers: 14.33 },
  { layer: "conv3", arithmetic: 2.39, dram: 2.02, registers: 9.57 },
  { layer: "conv4", arithmetic: 1.79, dram: 1.57, registers: 7.18 },
  { layer: "conv5", arithmetic: 1.2, dram: 1.05, registers: 4.78 },
  { layer: "fc1", arithmetic: 0.6, dram: 7.78, registers: 2.42 },
  { layer: "fc2", arithmetic: 0.27, dram: 3.39, registers: 1.07 },
  { layer: "fc3", arithmetic: 0.07, dram: 0.84, registers: 0.26 },
];
export const FIG10_TOLERANCE = 0.1;
