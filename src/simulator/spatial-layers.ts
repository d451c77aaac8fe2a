/** Layers on images: convolutions, pooling, batch normalization. Kernels are cut as cuDNN cuts them. */
import { sizeOf, type Value, type Weight } from "./emitter.ts";
import {
  activate,
  type Adapter,
  type LayerContext,
  onlyInput,
  owned,
  pairOf,
  requiredWeight,
  unsupported,
  weightNamed,
} from "./layer-context.ts";
import type { ConvolutionShape } from "./work.ts";

const convolution: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const shape = convolutionShape(context, x);
  const filters = requiredWeight(context, "kernel");
  const macs = sizeOf(outputShape) * shape.kernelHeight * shape.kernelWidth * shape.inputChannels;
  const work = { kind: "convolution", flops: 2 * macs, convolution: shape } as const;
  const y = emitter.map(outputShape);
  emitter.kernel("Conv2D", { inputs: [x.tensor, filters.tensor], outputs: [y], ...work });
  // The tape runs in reverse, so what is left first runs last.
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (x.needsGradient) {
      const dx = emitter.gradientMap(x);
      emitter.kernel("Conv2DBackpropInput", { inputs: [filters.tensor, dy], outputs: [dx], ...work });
      emitter.accumulate(x, owned(dx));
    }
    if (filters.gradient !== undefined) {
      emitter.kernel("Conv2DBackpropFilter", { inputs: [x.tensor, dy], outputs: [filters.gradient], ...work });
    }
  });
  addBias(context, y, outputShape);
  return activate(context, y, outputShape);
};

const depthwise: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const filters = requiredWeight(context, "depthwise_kernel");
  const [kernelHeight, kernelWidth] = pairOf(context.config["kernelSize"]);
  const work = { kind: "depthwise", flops: 2 * sizeOf(outputShape) * kernelHeight * kernelWidth } as const;
  const y = emitter.map(outputShape);
  emitter.kernel("DepthwiseConv2dNative", { inputs: [x.tensor, filters.tensor], outputs: [y], ...work });
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (x.needsGradient) {
      const dx = emitter.gradientMap(x);
      emitter.kernel("DepthwiseConv2dNativeBackpropInput", { inputs: [filters.tensor, dy], outputs: [dx], ...work });
      emitter.accumulate(x, owned(dx));
    }
    if (filters.gradient !== undefined) {
      const outputs = [filters.gradient];
      emitter.kernel("DepthwiseConv2dNativeBackpropFilter", { inputs: [x.tensor, dy], outputs, ...work });
    }
  });
  addBias(context, y, outputShape);
  return activate(context, y, outputShape);
};

/** In place; its gradient is a sum over all but the channels. */
export function addBias(context: LayerContext, y: number, shape: readonly number[]): void {
  const { emitter } = context;
  const bias = weightNamed(context, "bias");
  if (bias === undefined) return;
  emitter.kernel("BiasAdd", { inputs: [y, bias.tensor], outputs: [y] });
  emitter.onBackward(y, (gradient) => {
    if (bias.gradient !== undefined) {
      emitter.kernel("BiasAddGrad", { inputs: [gradient.tensor], outputs: [bias.gradient] });
    }
    emitter.accumulate({ tensor: y, shape, needsGradient: true, isSaved: false, readers: 1 }, gradient);
  });
}

function convolutionShape(context: LayerContext, x: Value): ConvolutionShape {
  const { config, outputShape } = context;
  const [kernelHeight, kernelWidth] = pairOf(config["kernelSize"]);
  const [strideHeight, strideWidth] = pairOf(config["strides"]);
  if (pairOf(config["dilationRate"] ?? 1).some((rate) => rate !== 1)) throw unsupported(context, "dilation");
  if (config["dataFormat"] === "channelsFirst") throw unsupported(context, "channels first");
  const [batch = 1, inputHeight = 1, inputWidth = 1, inputChannels = 1] = x.shape;
  const [, outputHeight = 1, outputWidth = 1, outputChannels = 1] = outputShape;
  return {
    batch,
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight,
    outputWidth,
    outputChannels,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
  };
}

/** cuDNN's maximum pooling finds the maxima again: it reads x, y and dy. */
const maxPool: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const y = emitter.map(outputShape);
  emitter.kernel("MaxPool", { inputs: [x.tensor], outputs: [y] });
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (!x.needsGradient) return;
    const dx = emitter.gradientMap(x);
    emitter.kernel("MaxPoolGrad", { inputs: [x.tensor, y, dy], outputs: [dx] });
    emitter.accumulate(x, owned(dx));
  });
  return { tensor: y, isSaved: true };
};

/** Averages need neither x nor y, and so do global ones. */
const averagePool: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const y = emitter.map(outputShape);
  emitter.kernel("AvgPool", { inputs: [x.tensor], outputs: [y] });
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (!x.needsGradient) return;
    const dx = emitter.gradientMap(x);
    emitter.kernel("AvgPoolGrad", { inputs: [dy], outputs: [dx] });
    emitter.accumulate(x, owned(dx));
  });
  return { tensor: y };
};

/**
 * Batch and layer normalization: two passes over x forward (statistics, then y) and two over x and dy backward. Only the
 * statistics are saved besides x.
 */
export function normalization(name: string, statisticsPerSample: boolean): Adapter {
  return (context) => {
    const { emitter, outputShape } = context;
    const x = onlyInput(context);
    const affine = ["gamma", "beta"].flatMap((weight) => weightNamed(context, weight) ?? []);
    const channels = outputShape.at(-1) ?? 1;
    const count = statisticsPerSample ? sizeOf(outputShape) / channels : channels;
    const statistics = emitter.tensor(2 * count, "activation", "statistics");
    const y = emitter.map(outputShape);
    const mapBytes = 4 * sizeOf(outputShape);
    const inputs = [x.tensor, ...affine.map(({ tensor }) => tensor)];
    emitter.kernel(name, { inputs, outputs: [y, statistics], bytes: 3 * mapBytes });
    const moving = ["moving_mean", "moving_variance"].flatMap((weight) => weightNamed(context, weight) ?? []);
    if (moving.length > 0) updateStatistics(context, statistics, moving);
    emitter.onBackward(y, ({ tensor: dy }) => {
      const dx = emitter.gradientMap(x);
      const gradients = affine.flatMap(({ gradient }) => gradient ?? []);
      const reads = [x.tensor, dy, statistics, ...affine.slice(0, 1).map(({ tensor }) => tensor)];
      emitter.kernel(`${name}Grad`, { inputs: reads, outputs: [dx, ...gradients], bytes: 5 * mapBytes });
      emitter.accumulate(x, owned(dx));
    });
    return { tensor: y };
  };
}

function updateStatistics({ emitter }: LayerContext, statistics: number, moving: readonly Weight[]): void {
  const tensors = moving.map(({ tensor }) => tensor);
  emitter.onUpdate(() => emitter.kernel("UpdateStatistics", { inputs: [statistics, ...tensors], outputs: tensors }));
}

export const SPATIAL_LAYERS: Readonly<Record<string, Adapter>> = {
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  MaxPooling2D: maxPool,
  AveragePooling2D: averagePool,
  GlobalAveragePooling2D: averagePool,
  GlobalAveragePooling1D: averagePool,
  BatchNormalization: normalization("BatchNorm", false),
  LayerNormalization: normalization("LayerNorm", true),
};
