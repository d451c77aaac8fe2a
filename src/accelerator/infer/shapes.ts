/**
 * Layers of a model from its shapes alone, for networks that are too large to be computed here: the densities are stated by the
 * caller. Other kinds of layers that may multiply are named, as nothing is known of their products without a run.
 */
import type { LayersModel, layers as tfLayers, SymbolicTensor } from "@tensorflow/tfjs";
import { VdnnError } from "../../errors.ts";
import type { HostOp } from "../backend/records.ts";
import type { LayerShape } from "../layer.ts";
import type { InferLayer } from "./model.ts";

export interface ShapedLayers {
  readonly layers: readonly InferLayer[];
  /** Layers without a shape to cost, with the reason. Their MACs are not known. */
  readonly hostOps: readonly HostOp[];
}

/** Shares that are not zero. */
export interface StatedDensities {
  /** Of every layer's inputs and outputs. */
  readonly activations: number;
  /** Null: those of the model's weights, or 1 where it was built without. */
  readonly weights: number | null;
}

export function shapedLayers(model: LayersModel, batch: number, stated: StatedDensities): ShapedLayers {
  const layers: InferLayer[] = [];
  const hostOps: HostOp[] = [];
  for (const layer of model.layers) {
    const shape = shapeOf(layer, batch);
    const kind = layer.getClassName();
    if (shape !== null) {
      const { activations } = stated;
      const weights = stated.weights ?? kernelDensity(layer);
      const densities = { inputs: activations, weights, outputs: activations };
      layers.push({ shape, densities, ran: null, hasWeights: true, operands: null });
    } else if (!WITHOUT_PRODUCTS.test(kind)) {
      const reason = `the products of ${kind} are known only from a run; leave out --no-compute`;
      hostOps.push({ kernel: kind, layer: layer.name, elements: 0, macs: 0, reason });
    }
  }
  return { layers, hostOps };
}

/** Kinds of layers that only move, pool, normalize, or work element by element. */
const WITHOUT_PRODUCTS =
  /^(InputLayer|Activation|Softmax|.*ReLU|ELU|Flatten|Reshape|Permute|RepeatVector|Masking|Embedding|Add|Average|Maximum|Minimum|Multiply|Concatenate|.*Pooling.*|.*Padding.*|Cropping.*|UpSampling.*|.*Dropout.*|Gaussian.*|.*Normalization)$/;

function kernelDensity(layer: tfLayers.Layer): number {
  const kernel = layer.weights.find(({ name }) => /kernel(_\d+)?$/.test(name));
  // A model that was built without weights has names and shapes alone.
  if (kernel === undefined || !("read" in kernel)) return 1;
  const values = Float32Array.from(kernel.read().dataSync());
  return values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0) / values.length;
}

function shapeOf(layer: tfLayers.Layer, batch: number): LayerShape | null {
  const kind = layer.getClassName();
  const config = layer.getConfig();
  const bias = config["useBias"] !== false;
  const [input, output] = [sizes(layer, layer.input, batch), sizes(layer, layer.output, batch)];
  if (kind === "Dense") {
    const channels = input.at(-1) ?? 1;
    const rows = input.slice(0, -1).reduce((product, size) => product * size, 1);
    const point = { inputHeight: 1, inputWidth: 1, filterHeight: 1, filterWidth: 1, outputHeight: 1, outputWidth: 1 };
    const filters = output.at(-1) ?? 1;
    return {
      name: layer.name,
      kind: "fully-connected",
      batch: rows,
      channels,
      filters,
      groups: 1,
      ...point,
      stride: 1,
      bias,
    };
  }
  if (kind !== "Conv2D" && kind !== "DepthwiseConv2D") return null;
  if (config["dataFormat"] === "channelsFirst") return null;
  const [height = 1, width = 1, inChannels = 1] = input.slice(1);
  const [outputHeight = 1, outputWidth = 1, filters = 1] = output.slice(1);
  const [filterHeight, filterWidth] = pairOf(config["kernelSize"]);
  const [stride] = pairOf(config["strides"]);
  const [dilation] = pairOf(config["dilationRate"] ?? 1);
  const padded = (size: number, outputs: number, filter: number): number =>
    config["padding"] === "same" ? Math.max(size, (outputs - 1) * stride + (filter - 1) * dilation + 1) : size;
  const isDepthwise = kind === "DepthwiseConv2D";
  return {
    name: layer.name,
    kind: "convolution",
    batch,
    channels: isDepthwise ? 1 : inChannels,
    filters,
    groups: isDepthwise ? inChannels : 1,
    inputHeight: padded(height, outputHeight, filterHeight),
    inputWidth: padded(width, outputWidth, filterWidth),
    filterHeight,
    filterWidth,
    outputHeight,
    outputWidth,
    stride,
    bias,
  };
}

/** @throws VdnnError `ERR_UNSUPPORTED_LAYER` for a layer of a size that is not fixed */
function sizes(layer: tfLayers.Layer, tensor: SymbolicTensor | SymbolicTensor[], batch: number): number[] {
  const [first] = [tensor].flat();
  return (first?.shape ?? []).map((size, axis) => {
    if (axis === 0) return batch;
    if (size !== null) return size;
    throw new VdnnError(
      "ERR_UNSUPPORTED_LAYER",
      `${layer.name}: axis ${axis} of its input or output has no fixed size; give the model an input of fixed shape`,
      { layer: layer.name },
    );
  });
}

function pairOf(value: unknown): readonly [number, number] {
  const [first = 1, second = first] = [value].flat() as number[];
  return [first, second];
}
