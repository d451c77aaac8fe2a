/** What ran: layers on the accelerator, and what it left to the host. A cost model reads these (LayerShape → LayerCost). */
import type { Accumulation } from "../arithmetic/arithmetic.ts";
import type { Precision } from "../energy.ts";
import type { Densities, LayerShape } from "../layer.ts";

/** Exact counts over the values that were there, as the accelerator held them. */
export interface MacCounts {
  readonly total: number;
  /** The input is a zero of the map; Eyeriss gates these, EIE skips them. */
  readonly zeroInput: number;
  /** The input is a zero of the padding. */
  readonly padding: number;
  readonly zeroWeight: number;
  /** Input, weight or both: what no arithmetic is needed for. */
  readonly zeroOperand: number;
}

/** Values that a format could not reach and that became the end of its range. */
export interface Saturation {
  readonly inputs: number;
  readonly weights: number;
  /** Additions, those of the bias included. */
  readonly sums: number;
  readonly outputs: number;
}

export interface AcceleratedLayer {
  /** The tf.layers layer, or the kernel with a number where ops are called directly. */
  readonly name: string;
  /** TensorFlow.js's name of the kernel. */
  readonly kernel: string;
  readonly shape: LayerShape;
  readonly densities: Densities;
  readonly macs: MacCounts;
  readonly precision: Precision;
  readonly accumulate: Accumulation;
  readonly saturated: Saturation;
  /** gpu.js's mode that computed it. */
  readonly mode: string;
}

/** An operation on the host. Its cost is stated, not modelled: so many elementary operations, and so many MACs. */
export interface HostOp {
  readonly kernel: string;
  readonly layer: string | null;
  /** Elements of its largest operand or result: one operation each. */
  readonly elements: number;
  /** Of a convolution or product that the accelerator does not run; else 0. */
  readonly macs: number;
  /** Why such a convolution or product ran here; null for what is the host's anyway. */
  readonly reason: string | null;
}

/** Grows with every prediction until it is reset. */
export class RunLog {
  readonly layers: AcceleratedLayer[] = [];
  readonly hostOps: HostOp[] = [];
  #unnamed = 0;

  /** A name for a kernel that runs outside any layer. */
  nameFor(kernel: string): string {
    return `${kernel}_${++this.#unnamed}`;
  }

  reset(): void {
    this.layers.length = 0;
    this.hostOps.length = 0;
    this.#unnamed = 0;
  }
}
