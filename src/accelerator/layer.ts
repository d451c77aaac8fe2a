/**
 * One layer of inference as an accelerator sees it. A fully connected layer is a convolution whose filter covers the whole map,
 * the form in which Eyeriss's papers count it. Sizes use the letters of Chen et al., JSSC 2017, table II, in their comments.
 */

export interface LayerShape {
  readonly name: string;
  readonly kind: "convolution" | "fully-connected";
  /** N: maps per batch. */
  readonly batch: number;
  /** C: channels that one filter reads, so the input has `channels * groups`. */
  readonly channels: number;
  /** M: filters of all groups together. */
  readonly filters: number;
  readonly groups: number;
  /** H and W, padding included. */
  readonly inputHeight: number;
  readonly inputWidth: number;
  /** R and S. */
  readonly filterHeight: number;
  readonly filterWidth: number;
  /** E and F. */
  readonly outputHeight: number;
  readonly outputWidth: number;
  /** U. */
  readonly stride: number;
  /** Whether a bias is added. */
  readonly bias: boolean;
}

/** Shares that are not zero, 0 to 1: what sparsity a layer's cost depends on. */
export interface Densities {
  readonly inputs: number;
  readonly weights: number;
  /** As written back: after the activation function, before pooling. */
  readonly outputs: number;
}

export const DENSE: Densities = { inputs: 1, weights: 1, outputs: 1 };

/** A matrix product as a fully connected layer: every map is one pixel. */
export function matrixShape(
  batch: number,
  channels: number,
  filters: number,
  groups = 1,
): Omit<LayerShape, "name" | "bias"> {
  return {
    kind: "fully-connected",
    batch,
    channels,
    filters,
    groups,
    inputHeight: 1,
    inputWidth: 1,
    filterHeight: 1,
    filterWidth: 1,
    outputHeight: 1,
    outputWidth: 1,
    stride: 1,
  };
}

export function macsOf(layer: LayerShape): number {
  const { batch, filters, channels, filterHeight, filterWidth, outputHeight, outputWidth } = layer;
  return batch * filters * channels * filterHeight * filterWidth * outputHeight * outputWidth;
}

export function weightsOf({ filters, channels, filterHeight, filterWidth }: LayerShape): number {
  return filters * channels * filterHeight * filterWidth;
}

/** Words of the input, padding included. */
export function inputsOf({ batch, channels, groups, inputHeight, inputWidth }: LayerShape): number {
  return batch * channels * groups * inputHeight * inputWidth;
}

export function outputsOf({ batch, filters, outputHeight, outputWidth }: LayerShape): number {
  return batch * filters * outputHeight * outputWidth;
}
