/** The accelerators that can be registered: the arithmetic of each chip, and what it computes itself. */
import type { Accumulation, Scaling } from "../arithmetic/arithmetic.ts";
import type { Precision } from "../energy.ts";

export const ACCELERATORS = ["eyeriss", "eie"] as const;
export type AcceleratorName = (typeof ACCELERATORS)[number];

/** A 1×1 convolution with stride 1 is `pointwise`: a fully connected layer at every pixel. */
export const WORKLOADS = ["convolution", "depthwise", "pointwise", "fully-connected"] as const;
export type Workload = (typeof WORKLOADS)[number];

export interface Preset {
  readonly precision: Precision;
  readonly accumulate: Accumulation;
  readonly scaling: Scaling;
  readonly workloads: readonly Workload[];
}

export const PRESETS: Readonly<Record<AcceleratorName, Preset>> = {
  /** 16-bit fixed point throughout, partial sums included (Chen et al., JSSC 2017, table III counts 2 bytes for each). */
  eyeriss: { precision: "int16", accumulate: "int16", scaling: "power-of-two", workloads: WORKLOADS },
  /**
   * 16-bit fixed-point activations and centroids (Han et al., ISCA 2016, section IV); that its sums are wider is an assumption here.
   * It multiplies matrices by vectors; of convolutions, the paper claims those with 1×1 filters.
   */
  eie: {
    precision: "int16",
    accumulate: "int32",
    scaling: "power-of-two",
    workloads: ["pointwise", "fully-connected"],
  },
};
