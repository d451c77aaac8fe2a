/**
 * How long a kernel takes on a GPU, by a roofline: the slower of arithmetic at a share of the FP32 peak and memory traffic at a
 * share of the peak bandwidth, plus a launch. A convolution in the frequency domain is transforms, which only stream, and then
 * products of spectra, which are matrix products: the sum of both.
 *
 * Note [Efficiencies]
 * ~~~~~~~~~~~~~~~~~~~
 * The shares of peak below are chosen by hand so that whole networks come out near what soumith/convnet-benchmarks (2016) measured on
 * a GeForce Titan X: `p` against cuDNN R4 in FP32, `m` against cuDNN R2, the last version whose convolutions were implicit GEMM
 * alone. calibration.test.ts holds the fit. None was fitted to a figure of the vDNN paper. Other GPUs take the same shares.
 */
import type { Graph } from "../graph/graph.ts";
import { type Algorithm, DEFAULT_WORKSPACE_LIMIT_BYTES, spectralConvolution } from "./convolution.ts";
import type { SimulatedMachine } from "./machines.ts";
import type { Work, WorkGraph } from "./work.ts";

/** Achieved share of the FP32 peak; see Note [Efficiencies]. */
export const EFFICIENCY = {
  /** Implicit GEMM, by m. */
  convolutionM: 0.42,
  /** Implicit GEMM with precomputed indices, by g, and by p where that is the fastest. */
  convolutionPrecomputed: 0.45,
  depthwise: 0.1,
  /** Matrix products, those of spectra among them. */
  matrix: 0.65,
  recurrent: 0.45,
} as const;

/** Achieved share of the peak memory bandwidth. */
export const MEMORY_EFFICIENCY = 0.7;
/** Time between two dependent kernels of no length. */
export const LAUNCH_MS = 0.005;

/** Which algorithm each kernel of a work graph runs by; kernels that are no convolutions ignore it. */
export type Algorithms = (kernel: number) => Algorithm;

export interface TimingOptions {
  readonly algorithms: Algorithms;
  /** Default 4 GiB; see Note [Workspace of p]. */
  readonly workspaceLimitBytes?: number | ((kernel: number) => number);
}

/** What a kernel takes by an algorithm; p may come down to an algorithm without workspace. */
export interface KernelCost {
  readonly ms: number;
  readonly workspaceBytes: number;
}

export function kernelCost(
  work: Work,
  algorithm: Algorithm,
  machine: SimulatedMachine,
  workspaceLimitBytes: number,
): KernelCost {
  const { kind, flops, bytes, convolution } = work;
  const arithmeticMs = (operations: number, share: number): number =>
    (operations / (machine.flopsPerSecond * share)) * 1000;
  const memoryMs = (traffic: number): number => (traffic / (machine.memoryBytesPerSecond * MEMORY_EFFICIENCY)) * 1000;
  const direct = Math.max(arithmeticMs(flops, efficiency(kind, algorithm)), memoryMs(bytes)) + LAUNCH_MS;
  const spectral =
    convolution === undefined || algorithm !== "p" ? undefined : spectralConvolution(convolution, workspaceLimitBytes);
  if (spectral === undefined) return { ms: direct, workspaceBytes: 0 };
  const ms = arithmeticMs(spectral.flops, EFFICIENCY.matrix) + memoryMs(bytes + spectral.trafficBytes) + LAUNCH_MS;
  return ms < direct ? { ms, workspaceBytes: spectral.workspaceBytes } : { ms: direct, workspaceBytes: 0 };
}

/** The work graph as a graph, with times and workspaces. */
export function timed(graph: WorkGraph, machine: SimulatedMachine, options: TimingOptions): Graph {
  const { algorithms, workspaceLimitBytes = DEFAULT_WORKSPACE_LIMIT_BYTES } = options;
  const limitOf = (k: number): number =>
    typeof workspaceLimitBytes === "number" ? workspaceLimitBytes : workspaceLimitBytes(k);
  return {
    schema: "vdnn-graph/1",
    name: graph.name,
    tensors: graph.tensors,
    layers: graph.layers,
    kernels: graph.kernels.map(({ work, ...kernel }, k) => {
      const { ms, workspaceBytes } = kernelCost(work, algorithms(k), machine, limitOf(k));
      return { ...kernel, ms, ...(workspaceBytes > 0 ? { workspaceBytes } : {}) };
    }),
  };
}

function efficiency(kind: Work["kind"], algorithm: Algorithm): number {
  switch (kind) {
    case "convolution":
      return algorithm === "m" ? EFFICIENCY.convolutionM : EFFICIENCY.convolutionPrecomputed;
    case "depthwise":
    case "matrix":
    case "recurrent":
      return EFFICIENCY[kind];
    case "memory":
      // A few operations per element, which no GPU here is slower at than at loading the element.
      return 1;
  }
  return kind satisfies never;
}
