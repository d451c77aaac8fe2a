/**
 * The layers that the networks are built from: thin wrappers that give every layer its name and its own derived seed, and
 * leave out a pooling layer where the feature map is too small for it, so that each recipe also works on small images.
 */
import type { layers, SymbolicTensor } from "@tensorflow/tfjs";
import { deriveSeed } from "./data.ts";
import type { NetworkSettings, TensorFlow } from "./network.ts";

type Padding = "same" | "valid";
type Activation = "linear" | "relu" | "relu6" | "softmax";
type Initializer = ReturnType<TensorFlow["initializers"]["zeros"]>;

export interface ConvOptions {
  readonly filters: number;
  readonly kernel: number;
  readonly strides?: number;
  readonly padding?: Padding;
  readonly activation?: Activation;
  /** False where batch normalization follows. Default true. */
  readonly bias?: boolean;
}

export interface PoolOptions {
  readonly size: number;
  readonly strides: number;
  readonly padding?: Padding;
}

export interface Layers {
  input(shape: readonly number[], dtype?: "float32" | "int32"): SymbolicTensor;
  conv(x: SymbolicTensor, name: string, options: ConvOptions): SymbolicTensor;
  depthwise(x: SymbolicTensor, name: string, options: Omit<ConvOptions, "filters">): SymbolicTensor;
  batchNorm(x: SymbolicTensor, name: string): SymbolicTensor;
  layerNorm(x: SymbolicTensor, name: string): SymbolicTensor;
  activation(x: SymbolicTensor, name: string, activation: Activation): SymbolicTensor;
  /** Returns `x` itself where the feature map is smaller than the window. */
  maxPool(x: SymbolicTensor, name: string, options: PoolOptions): SymbolicTensor;
  averagePool(x: SymbolicTensor, name: string, options: PoolOptions): SymbolicTensor;
  globalAveragePool(x: SymbolicTensor, name: string): SymbolicTensor;
  flatten(x: SymbolicTensor, name: string): SymbolicTensor;
  dropout(x: SymbolicTensor, name: string, rate: number): SymbolicTensor;
  dense(x: SymbolicTensor, name: string, units: number, activation?: Activation): SymbolicTensor;
  add(xs: readonly SymbolicTensor[], name: string): SymbolicTensor;
  concat(xs: readonly SymbolicTensor[], name: string): SymbolicTensor;
  /** A seeded initializer for a weight of the layer `name`: `he` for what feeds a relu, `glorot` otherwise. */
  initializer(name: string, kind: "he" | "glorot"): Initializer;
}

/** Channels scaled by a width factor, at least 1. */
export function scaled(channels: number, width: number): number {
  return Math.max(1, Math.round(channels * width));
}

export function createLayers(
  tf: TensorFlow,
  { seed, initialization }: Pick<NetworkSettings, "seed" | "initialization">,
): Layers {
  // Uniform rather than normal: the seeded normal generator of TensorFlow.js takes seconds for 25 million weights.
  const initializer: Layers["initializer"] = (name, kind) => {
    if (initialization === "zeros") return tf.initializers.zeros();
    const derived = deriveSeed(seed, name);
    return kind === "he"
      ? tf.initializers.heUniform({ seed: derived })
      : tf.initializers.glorotUniform({ seed: derived });
  };

  const pool = (
    create: (args: Parameters<typeof tf.layers.maxPooling2d>[0]) => layers.Layer,
    x: SymbolicTensor,
    name: string,
    options: PoolOptions,
  ): SymbolicTensor => {
    const { size, strides, padding = "valid" } = options;
    const side = x.shape[1] ?? 0;
    if (side < (padding === "same" ? 2 : size)) return x;
    return apply(create({ name, poolSize: size, strides, padding }), x);
  };

  return {
    input: (shape, dtype = "float32") => tf.input({ shape: [...shape], dtype, name: "input" }),
    conv: (x, name, { filters, kernel, strides = 1, padding = "same", activation = "linear", bias = true }) =>
      apply(
        tf.layers.conv2d({
          name,
          filters,
          kernelSize: kernel,
          strides,
          padding,
          activation,
          useBias: bias,
          kernelInitializer: initializer(name, "he"),
        }),
        x,
      ),
    depthwise: (x, name, { kernel, strides = 1, padding = "same", activation = "linear", bias = true }) =>
      apply(
        tf.layers.depthwiseConv2d({
          name,
          kernelSize: kernel,
          strides,
          padding,
          activation,
          useBias: bias,
          depthwiseInitializer: initializer(name, "he"),
        }),
        x,
      ),
    batchNorm: (x, name) => apply(tf.layers.batchNormalization({ name }), x),
    layerNorm: (x, name) => apply(tf.layers.layerNormalization({ name }), x),
    activation: (x, name, activation) => apply(tf.layers.activation({ name, activation }), x),
    maxPool: (x, name, options) => pool(tf.layers.maxPooling2d, x, name, options),
    averagePool: (x, name, options) => pool(tf.layers.averagePooling2d, x, name, options),
    globalAveragePool: (x, name) => apply(tf.layers.globalAveragePooling2d({ name }), x),
    flatten: (x, name) => apply(tf.layers.flatten({ name }), x),
    dropout: (x, name, rate) => apply(tf.layers.dropout({ name, rate, seed: deriveSeed(seed, name) }), x),
    dense: (x, name, units, activation = "linear") => {
      const kernelInitializer = initializer(name, activation === "relu" ? "he" : "glorot");
      return apply(tf.layers.dense({ name, units, activation, kernelInitializer }), x);
    },
    add: (xs, name) => apply(tf.layers.add({ name }), [...xs]),
    concat: (xs, name) => apply(tf.layers.concatenate({ name, axis: -1 }), [...xs]),
    initializer,
  };
}

/** Applies a layer of one output to symbolic inputs. */
export function apply(layer: layers.Layer, inputs: SymbolicTensor | SymbolicTensor[]): SymbolicTensor {
  return layer.apply(inputs) as SymbolicTensor;
}
