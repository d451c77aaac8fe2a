/** What a layer's adapter gets: a tf.layers layer reduced to names, numbers and shapes. */
import { VdnnError } from "../errors.ts";
import type { Emitter, Gradient, Value, Weight } from "./emitter.ts";

export interface LayerContext {
  readonly emitter: Emitter;
  readonly name: string;
  /** `Conv2D`, `Dense`: tf.layers' class name. */
  readonly kind: string;
  /** tf.layers' configuration, camel case. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Value[];
  /** With the batch. */
  readonly outputShape: readonly number[];
  readonly weights: readonly (Weight & { readonly name: string })[];
}

/** What an adapter returns; how many read it and whether it needs a gradient follow from the model. */
export interface LayerOutput {
  readonly tensor: number;
  /** Its backward pass reads its output. Default false. */
  readonly isSaved?: boolean;
}

/** Emits a layer's forward kernels, and leaves its backward ones with `emitter.onBackward`. */
export type Adapter = (context: LayerContext) => LayerOutput;

export function onlyInput({ inputs, name }: LayerContext): Value {
  const [input] = inputs;
  if (input === undefined || inputs.length !== 1) throw new Error(`${name}: expected one input, got ${inputs.length}`);
  return input;
}

export function weightNamed({ weights }: LayerContext, name: string): Weight | undefined {
  return weights.find((weight) => weight.name === name);
}

export function requiredWeight(context: LayerContext, name: string): Weight {
  const weight = weightNamed(context, name);
  if (weight === undefined) throw unsupported(context, `it has no weight ${name}`);
  return weight;
}

/** A pair such as kernelSize or strides, in pixels. */
export function pairOf(value: unknown): [number, number] {
  if (typeof value === "number") return [value, value];
  const [first = 1, second = first] = Array.isArray(value) ? (value as number[]) : [1, 1];
  return [first, second];
}

/**
 * The activation of a layer that has one built in, in place: see Note [In place].
 *
 * @param shape of the output
 */
export function activate(context: LayerContext, tensor: number, shape: readonly number[]): LayerOutput {
  const activation = context.config["activation"] ?? "linear";
  if (activation === "linear") return { tensor };
  const { emitter } = context;
  const name = typeof activation === "string" ? ACTIVATIONS[activation] : undefined;
  if (name === undefined) throw unsupported(context, `activation ${JSON.stringify(activation)}`);
  emitter.kernel(name, { inputs: [tensor], outputs: [tensor] });
  emitter.onBackward(tensor, (gradient) => {
    const dx = emitter.inPlace(gradient, shape);
    emitter.kernel(`${name}Grad`, { inputs: [tensor, gradient.tensor], outputs: [dx] });
    emitter.accumulate(wanted(tensor, shape), { tensor: dx, isShared: false });
  });
  return { tensor, isSaved: true };
}

/** Activations whose gradient needs the output alone. */
export const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  tanh: "Tanh",
  sigmoid: "Sigmoid",
  softmax: "Softmax",
};

/** A value whose gradient is wanted, for passing one on under the same tensor. */
export function wanted(tensor: number, shape: readonly number[]): Value {
  return { tensor, shape, needsGradient: true, isSaved: false, readers: 1 };
}

export function owned(tensor: number): Gradient {
  return { tensor, isShared: false };
}

export function unsupported({ name, kind }: Pick<LayerContext, "name" | "kind">, what: string): VdnnError {
  return new VdnnError(
    "ERR_UNSUPPORTED_LAYER",
    `layer ${name} (${kind}): the simulator has no model for ${what}; record the iteration with \`vdnn run --record\` instead`,
    { layer: name, kind, what },
  );
}
