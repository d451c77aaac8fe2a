/**
 * An iteration as data: tensors and the kernels that read and write them, in execution order. This is the in-memory form of
 * `vdnn-graph/1`; it knows nothing of TensorFlow.js, of policies or of machines.
 */

/**
 * `input`, `weight` and `state` (optimizer state) exist before the first kernel; `weight` and `state` outlive the last one, as
 * does `output` (the loss, gradients handed to the caller). `activation` and `gradient` live from writer to last reader.
 */
export type Role = "input" | "weight" | "state" | "activation" | "gradient" | "output";

export type Pass = "forward" | "backward" | "update";

export interface GraphTensor {
  readonly bytes: number;
  readonly role: Role;
  readonly name?: string;
}

export interface GraphKernel {
  readonly name: string;
  /** Name of the layer that ran it: from the tf.layers model, or made from the op where there is none. */
  readonly layer?: string;
  readonly pass: Pass;
  /** Time of this kernel alone, measured or modelled, in ms. */
  readonly ms: number;
  /** Indices into `Graph.tensors`. */
  readonly inputs: readonly number[];
  /** Indices into `Graph.tensors`. An output that existed before is an update in place. */
  readonly outputs: readonly number[];
  /** Device bytes beyond inputs and outputs while it runs. */
  readonly workspaceBytes?: number;
  /** False when running it again would not give the same result. Default true. */
  readonly recomputable?: boolean;
}

export interface Graph {
  readonly schema: "vdnn-graph/1";
  readonly name: string;
  readonly tensors: readonly GraphTensor[];
  readonly kernels: readonly GraphKernel[];
  /** Kind of each named layer (`Conv2D`, `BatchNormalization`, …) where the model told it. */
  readonly layers?: Readonly<Record<string, string>>;
}

export type TensorIndex = number;
export type KernelIndex = number;
