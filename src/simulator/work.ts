/**
 * A training iteration before anyone has said on which GPU and by which algorithms it runs: a `Graph` whose kernels carry the
 * work they do instead of the time they take. `timed` in kernel-times.ts makes the one from the other.
 */
import type { GraphKernel, GraphTensor } from "../graph/graph.ts";

/** Decides the efficiency that a kernel reaches. `memory` is everything that only streams its operands. */
export type WorkKind = "convolution" | "depthwise" | "matrix" | "recurrent" | "memory";

/** Sizes of one convolution, in elements. `groups` of 1; transposed convolutions have input and output swapped. */
export interface ConvolutionShape {
  readonly batch: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
}

export interface Work {
  readonly kind: WorkKind;
  /** Additions and multiplications of the direct algorithm: two per MAC. */
  readonly flops: number;
  /** Device memory traffic: every operand once. */
  readonly bytes: number;
  readonly convolution?: ConvolutionShape;
}

export interface WorkKernel extends Omit<GraphKernel, "ms" | "workspaceBytes"> {
  readonly work: Work;
}

export interface WorkGraph {
  readonly name: string;
  readonly tensors: readonly GraphTensor[];
  readonly kernels: readonly WorkKernel[];
  /** Kind of each layer, in forward order. */
  readonly layers: Readonly<Record<string, string>>;
  /** Gradients of weights, one per trainable weight: `network-wide` keeps all of them. */
  readonly weightGradients: readonly number[];
  /** Layers before the flattening of feature maps, or all where nothing is flattened: the paper's feature extraction. */
  readonly featureLayers: readonly string[];
}
