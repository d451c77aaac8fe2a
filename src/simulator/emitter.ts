/**
 * Writes a training iteration kernel by kernel: layers emit their forward kernels and leave a function that emits the backward
 * ones; `finish` runs those in reverse, sums up the gradients of what several layers read, and adds the updates.
 *
 * Note [In place]
 * ~~~~~~~~~~~~~~~
 * As the vDNN paper's baseline does, biases and relu write over their input, forward and backward: a convolution with both keeps
 * one feature map. An activation layer does so too where nobody else reads its input and the layer before does not need it.
 */
import type { GraphTensor, Pass, Role, TensorIndex } from "../graph/graph.ts";
import type { ConvolutionShape, WorkGraph, WorkKernel, WorkKind } from "./work.ts";

export const FLOAT_BYTES = 4;

/** A feature map between layers. Two values may share one tensor: reshaping moves nothing, and see Note [In place]. */
export interface Value {
  readonly tensor: TensorIndex;
  /** With the batch. */
  readonly shape: readonly number[];
  /** False where no trainable weight is upstream: no layer computes a gradient for it. */
  readonly needsGradient: boolean;
  /** The layer that made it reads it in its backward pass. */
  readonly isSaved: boolean;
  /** How many layers read it. */
  readonly readers: number;
}

export interface Weight {
  readonly tensor: TensorIndex;
  readonly gradient: TensorIndex | undefined;
  readonly shape: readonly number[];
}

/** A gradient that arrived; one that is shared with another value must not be written in place. */
export interface Gradient {
  readonly tensor: TensorIndex;
  readonly isShared: boolean;
}

export interface KernelSpec {
  readonly inputs: readonly TensorIndex[];
  readonly outputs: readonly TensorIndex[];
  readonly kind?: WorkKind;
  readonly flops?: number;
  /** Default: every input and output once. */
  readonly bytes?: number;
  readonly convolution?: ConvolutionShape;
  readonly recomputable?: false;
}

export type Optimizer = "sgd" | "momentum" | "adam";

const STATES_PER_WEIGHT: Readonly<Record<Optimizer, number>> = { sgd: 0, momentum: 1, adam: 2 };

interface TapeEntry {
  readonly layer: string;
  readonly output: TensorIndex;
  readonly backward: (gradient: Gradient) => void;
}

/** Invariant: kernels are in execution order, and `#pass` and `#layer` are those of the kernel that comes next. */
export class Emitter {
  readonly batch: number;
  readonly #tensors: GraphTensor[] = [];
  readonly #kernels: WorkKernel[] = [];
  readonly #weights: (Weight & { readonly layer: string })[] = [];
  readonly #tape: TapeEntry[] = [];
  readonly #gradients = new Map<TensorIndex, Gradient>();
  readonly #lastUpdates: (() => void)[] = [];
  #pass: Pass = "forward";
  #layer = "";

  constructor(batch: number) {
    this.batch = batch;
  }

  enter(layer: string): void {
    this.#layer = layer;
  }

  tensor(elements: number, role: Role, name: string, bytesPerElement: number = FLOAT_BYTES): TensorIndex {
    return this.#tensors.push({ bytes: elements * bytesPerElement, role, name: `${this.#layer}/${name}` }) - 1;
  }

  /** A new feature map. */
  map(shape: readonly number[], name = "y"): TensorIndex {
    return this.tensor(sizeOf(shape), "activation", name);
  }

  /** A new gradient of a value's shape. */
  gradientMap({ shape }: { readonly shape: readonly number[] }, name = "dx"): TensorIndex {
    return this.tensor(sizeOf(shape), "gradient", name);
  }

  weight(shape: readonly number[], name: string, trainable: boolean): Weight {
    const tensor = this.tensor(sizeOf(shape), "weight", name);
    const gradient = trainable ? this.tensor(sizeOf(shape), "gradient", `d_${name}`) : undefined;
    const weight = { tensor, gradient, shape, layer: this.#layer };
    this.#weights.push(weight);
    return weight;
  }

  kernel(name: string, spec: KernelSpec): void {
    const { inputs, outputs, kind = "memory", flops = 0, bytes, convolution, recomputable } = spec;
    const traffic = bytes ?? [...inputs, ...outputs].reduce((sum, t) => sum + (this.#tensors[t]?.bytes ?? 0), 0);
    this.#kernels.push({
      name,
      layer: this.#layer,
      pass: this.#pass,
      inputs: [...inputs],
      outputs: [...outputs],
      ...(recomputable === false ? { recomputable } : {}),
      work: { kind, flops, bytes: traffic, ...(convolution === undefined ? {} : { convolution }) },
    });
  }

  /** Leaves what to do when the gradient of `output` is known. Entries run in reverse order. */
  onBackward(output: TensorIndex, backward: (gradient: Gradient) => void): void {
    this.#tape.push({ layer: this.#layer, output, backward });
  }

  /** Leaves a kernel for the update pass. */
  onUpdate(update: () => void): void {
    const layer = this.#layer;
    this.#lastUpdates.push(() => {
      this.#layer = layer;
      update();
    });
  }

  /** Adds a contribution to a value's gradient; the second and later ones cost a kernel. */
  accumulate(value: Value, gradient: Gradient): void {
    if (!value.needsGradient) return;
    const before = this.#gradients.get(value.tensor);
    if (before === undefined) {
      this.#gradients.set(value.tensor, gradient);
      return;
    }
    const [into, from] = before.isShared ? [gradient, before] : [before, gradient];
    const sum = into.isShared ? this.gradientMap(value, "dx_sum") : into.tensor;
    this.kernel("Add", { inputs: [into.tensor, from.tensor], outputs: [sum] });
    this.#gradients.set(value.tensor, { tensor: sum, isShared: false });
  }

  /** Where a backward kernel of one operand may write: over the gradient that arrived, unless that is shared. */
  inPlace(gradient: Gradient, shape: readonly number[]): TensorIndex {
    return gradient.isShared ? this.gradientMap({ shape }, "dx") : gradient.tensor;
  }

  finish(name: string, loss: Value, layers: Readonly<Record<string, string>>, details: FinishDetails): WorkGraph {
    this.#pass = "backward";
    this.accumulate(loss, { tensor: details.lossGradient(), isShared: false });
    for (const { layer, output, backward } of this.#tape.toReversed()) {
      const gradient = this.#gradients.get(output);
      if (gradient === undefined) continue;
      this.#gradients.delete(output);
      this.#layer = layer;
      backward(gradient);
    }
    this.#pass = "update";
    for (const update of this.#lastUpdates) update();
    for (const { tensor, gradient, layer, shape } of this.#weights) {
      if (gradient === undefined) continue;
      this.#layer = layer;
      const state = Array.from({ length: STATES_PER_WEIGHT[details.optimizer] }, (_, i) =>
        this.tensor(sizeOf(shape), "state", `state${i + 1}`),
      );
      this.kernel("ApplyGradient", { inputs: [tensor, gradient, ...state], outputs: [tensor, ...state] });
    }
    return {
      name,
      tensors: this.#tensors,
      kernels: this.#kernels,
      layers,
      weightGradients: this.#weights.flatMap(({ gradient }) => (gradient === undefined ? [] : [gradient])),
      featureLayers: details.featureLayers,
    };
  }
}

export interface FinishDetails {
  readonly optimizer: Optimizer;
  readonly featureLayers: readonly string[];
  /** Emits the kernel that starts the backward pass, and returns what it writes. */
  readonly lossGradient: () => TensorIndex;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
