/**
 * What a convolution costs by each of the algorithms that the vDNN paper (Rhu et al., MICRO 2016, section IV-C) compares:
 *
 *   m  memory-optimal: implicit GEMM, no workspace
 *   p  performance-optimal: the faster of g and the frequency domain, where stride 1 and a window above 1x1 allow it, with a
 *      workspace
 *   g  what cuDNN has between them: implicit GEMM with precomputed indices, whose workspace of a few KB is taken as none
 *
 * Note [Workspace of p]
 * ~~~~~~~~~~~~~~~~~~~~~
 * Spectra of input, output and filters, as 16x16 or 32x32 real-to-complex tiles in single precision. For AlexNet's grouped conv2
 * (27x27, 5x5, 48 to 128 channels, batch 256) the formula gives 212.5 MiB; the µ-cuDNN paper (Oyama et al., CLUSTER 2018) reports
 * 213 MiB for cuDNN's FFT algorithm. A workspace has an upper limit, by default the 4 GiB that TensorFlow gives cuDNN
 * (TF_CUDNN_WORKSPACE_LIMIT_IN_MB in conv_ops.cc): above it as many samples as it holds are done at a time, as µ-cuDNN does. The
 * limit is an assumption about the paper's baseline, and `network-wide` figures of large networks depend on it.
 */
import type { ConvolutionShape } from "./work.ts";

export type Algorithm = "m" | "g" | "p";

/** TensorFlow's default; see Note [Workspace of p]. */
export const DEFAULT_WORKSPACE_LIMIT_BYTES: number = 4 * 2 ** 30;

const COMPLEX_BYTES = 8;
const FLOPS_PER_COMPLEX_MAC = 8;
const SMALL_TILE = 16;
const LARGE_TILE = 32;

/** A convolution in the frequency domain, tile by tile. */
export interface SpectralConvolution {
  readonly workspaceBytes: number;
  /** Real additions and multiplications of the products of spectra: 8 per complex MAC. */
  readonly flops: number;
  /** Device memory traffic besides the operands: every spectrum written once and read once. */
  readonly trafficBytes: number;
}

/**
 * See Note [Workspace of p].
 *
 * @returns undefined where stride or window rule it out, or not even one sample at a time stays within the limit
 */
export function spectralConvolution(shape: ConvolutionShape, limitBytes: number): SpectralConvolution | undefined {
  const { batch, inputHeight, inputWidth, inputChannels, outputChannels, kernelHeight, kernelWidth } = shape;
  const window = Math.max(kernelHeight, kernelWidth);
  if (shape.strideHeight !== 1 || shape.strideWidth !== 1 || window === 1 || window > SMALL_TILE / 2) return undefined;
  const longest = Math.max(inputHeight, inputWidth) + window - 1;
  const side = longest <= SMALL_TILE ? SMALL_TILE : LARGE_TILE;
  const step = side - window + 1;
  const tiles = longest <= side ? 1 : Math.ceil(inputHeight / step) * Math.ceil(inputWidth / step);
  const points = side * (side / 2 + 1);
  const filters = inputChannels * outputChannels * points * COMPLEX_BYTES;
  const perSample = (inputChannels + outputChannels) * tiles * points * COMPLEX_BYTES;
  const samples = Math.min(batch, Math.floor((limitBytes - filters) / perSample));
  if (samples < 1) return undefined;
  return {
    workspaceBytes: filters + perSample * samples,
    flops: FLOPS_PER_COMPLEX_MAC * batch * tiles * points * inputChannels * outputChannels,
    trafficBytes: 2 * (filters + perSample * batch),
  };
}
