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
  /**
   * 16-bit fixed point. The chip keeps its partial sums in 16 bits too (Chen et al., JSSC 2017, table III counts 2 bytes for each),
   * with fraction bits that were chosen layer by layer on data. Here the fraction follows from the weights alone, so that no sum can
   * overflow, which leaves deep layers too few bits: AlexNet's first class comes out another. Sums are wider for that reason.
   */
  eyeriss: { precision: "int16", accumulate: "int32", scaling: "power-of-two", workloads: WORKLOADS },
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
