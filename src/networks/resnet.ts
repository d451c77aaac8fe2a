/**
 * Residual networks (He et al., "Deep residual learning for image recognition", arXiv:1512.03385). Depths 50, 101 and 152 are
 * the bottleneck networks of its table 1, with the stride on the 3x3 convolution as PyTorch and NVIDIA have it ("v1.5");
 * other depths 6n + 2 are the basic-block networks for CIFAR of its section 4.2.
 */
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { imageBatch } from "./data.ts";
import { createLayers, scaled, type Layers } from "./layers.ts";
import { IMAGE_DEFAULTS, resolveOptions, unknownDepth, type Network } from "./network.ts";

const BOTTLENECK_BLOCKS: Readonly<Record<number, readonly number[]>> = {
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};
const BOTTLENECK_EXPANSION = 4;
/** Below this, 7x7 with stride 2 and a pooling layer would leave next to nothing of the image. */
const SMALLEST_IMAGE_FOR_FULL_STEM = 64;

interface Block {
  readonly name: string;
  readonly channels: number;
  readonly strides: number;
}

export const resnet: Network = {
  name: "resnet",
  description:
    "ResNet-50, -101, -152 (bottleneck blocks) or 6n+2 (basic blocks, CIFAR) by depth; width scales all channels",
  defaults: { ...IMAGE_DEFAULTS, depth: 50 },
  loss: "categoricalCrossentropy",
  build(tf, options = {}) {
    const settings = resolveOptions(resnet, options);
    const { depth, width, imageSize, classes } = settings;
    const bottleneck = BOTTLENECK_BLOCKS[depth];
    if (bottleneck === undefined && (depth < 8 || depth % 6 !== 2)) {
      throw unknownDepth("resnet", depth, "50, 101, 152 or 6n+2 such as 20, 32, 44, 56, 110");
    }
    const blocks = bottleneck ?? [1, 1, 1].map(() => (depth - 2) / 6);
    const baseChannels = bottleneck === undefined ? 16 : 64;
    const addBlock = bottleneck === undefined ? basicBlock : bottleneckBlock;

    const layers = createLayers(tf, settings);
    const input = layers.input([imageSize, imageSize, 3]);
    const stem = scaled(baseChannels, width);
    let x: SymbolicTensor;
    if (bottleneck !== undefined && imageSize >= SMALLEST_IMAGE_FOR_FULL_STEM) {
      x = convNorm(layers, input, "conv1", { filters: stem, kernel: 7, strides: 2, relu: true });
      x = layers.maxPool(x, "pool1", { size: 3, strides: 2, padding: "same" });
    } else {
      x = convNorm(layers, input, "conv1", { filters: stem, kernel: 3, strides: 1, relu: true });
    }
    for (const [stage, count] of blocks.entries()) {
      const channels = scaled(baseChannels * 2 ** stage, width);
      for (let i = 1; i <= count; i++) {
        // Stages are numbered from 2, as in the paper's table: conv1 is the stem.
        x = addBlock(layers, x, { name: `res${stage + 2}_${i}`, channels, strides: i === 1 && stage > 0 ? 2 : 1 });
      }
    }
    x = layers.globalAveragePool(x, "pool5");
    const outputs = layers.dense(x, "classes", classes, "softmax");
    return tf.model({ name: `resnet${depth}`, inputs: input, outputs });
  },
  batch: imageBatch,
};

function convNorm(
  layers: Layers,
  x: SymbolicTensor,
  name: string,
  options: { filters: number; kernel: number; strides: number; relu: boolean },
): SymbolicTensor {
  const { relu, ...conv } = options;
  const normalized = layers.batchNorm(layers.conv(x, name, { ...conv, bias: false }), `${name}_norm`);
  return relu ? layers.activation(normalized, `${name}_relu`, "relu") : normalized;
}

function basicBlock(layers: Layers, x: SymbolicTensor, { name, channels, strides }: Block): SymbolicTensor {
  const first = convNorm(layers, x, `${name}_conv1`, { filters: channels, kernel: 3, strides, relu: true });
  const second = convNorm(layers, first, `${name}_conv2`, { filters: channels, kernel: 3, strides: 1, relu: false });
  return addShortcut(layers, x, second, { name, channels, strides });
}

function bottleneckBlock(layers: Layers, x: SymbolicTensor, { name, channels, strides }: Block): SymbolicTensor {
  const outer = channels * BOTTLENECK_EXPANSION;
  const reduced = convNorm(layers, x, `${name}_conv1`, { filters: channels, kernel: 1, strides: 1, relu: true });
  const middle = convNorm(layers, reduced, `${name}_conv2`, { filters: channels, kernel: 3, strides, relu: true });
  const expanded = convNorm(layers, middle, `${name}_conv3`, { filters: outer, kernel: 1, strides: 1, relu: false });
  return addShortcut(layers, x, expanded, { name, channels: outer, strides });
}

/** Adds the block's input: as it is, or through a 1x1 convolution where the shape changes (option B of the paper). */
function addShortcut(layers: Layers, x: SymbolicTensor, residual: SymbolicTensor, block: Block): SymbolicTensor {
  const { name, channels, strides } = block;
  const same = strides === 1 && x.shape[3] === channels;
  const shortcut = same
    ? x
    : convNorm(layers, x, `${name}_shortcut`, { filters: channels, kernel: 1, strides, relu: false });
  return layers.activation(layers.add([residual, shortcut], `${name}_add`), `${name}_relu`, "relu");
}
