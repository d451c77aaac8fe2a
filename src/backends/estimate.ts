/**
 * How many device bytes a kernel will ask for, before it runs for the first time, on backends that do not tell of every allocation
 * before it happens. After that the record knows. The estimate covers the kernels whose output is larger than their largest input,
 * and takes that input's size for all others.
 */
import { elementCount, isTensor, type NamedTensors, tensorBytes, tensorsOf } from "../runtime/engine.ts";

interface Attributes {
  readonly [name: string]: unknown;
}

/**
 * @param outputsHeld tensors of the output's size that the kernel holds at once
 * @returns bytes of the outputs and of the kernel's temporaries
 */
export function estimateBytes(
  kernel: string,
  inputs: NamedTensors,
  attributes: object | undefined,
  outputsHeld = 1,
): number {
  let largest = 0;
  for (const name in inputs) {
    const tensor = inputs[name];
    if (isTensor(tensor)) largest = Math.max(largest, tensorBytes(tensor.shape, tensor.dtype));
  }
  const shape = outputShape(kernel, inputs, (attributes ?? {}) as Attributes);
  if (shape !== null) return Math.max(largest, elementCount(shape) * 4 * outputsHeld);
  return Math.max(largest, broadcastElements(inputs) * 4) * outputsHeld;
}

/** Null for the kernels that are not listed: most of them work element by element. */
function outputShape(kernel: string, inputs: NamedTensors, attributes: Attributes): readonly number[] | null {
  switch (kernel) {
    case "Conv2D":
    case "FusedConv2D":
      return [...spatial(shapeOf(inputs, "x"), attributes["strides"]), shapeOf(inputs, "filter")[3] ?? 1];
    case "DepthwiseConv2dNative":
    case "FusedDepthwiseConv2D": {
      const filter = shapeOf(inputs, "filter");
      return [...spatial(shapeOf(inputs, "x"), attributes["strides"]), (filter[2] ?? 1) * (filter[3] ?? 1)];
    }
    case "Conv2DBackpropInput":
    case "DepthwiseConv2dNativeBackpropInput":
      return asShape(attributes["inputShape"]);
    case "Conv2DBackpropFilter":
    case "DepthwiseConv2dNativeBackpropFilter":
      return asShape(attributes["filterShape"]);
    case "MatMul":
    case "BatchMatMul":
    case "_FusedMatMul":
      return matMulShape(shapeOf(inputs, "a"), shapeOf(inputs, "b"), attributes);
    case "Fill":
    case "BroadcastTo":
    case "Reshape":
      return asShape(attributes["shape"]);
    case "Tile":
      return shapeOf(inputs, "x").map((size, i) => size * (asShape(attributes["reps"])[i] ?? 1));
    case "PadV2":
    case "MirrorPad": {
      const paddings = (attributes["paddings"] ?? []) as readonly (readonly [number, number])[];
      return shapeOf(inputs, "x").map((size, i) => size + (paddings[i]?.[0] ?? 0) + (paddings[i]?.[1] ?? 0));
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor": {
      const [batch = 1, , , channels = 1] = shapeOf(inputs, "images");
      return [batch, ...asShape(attributes["size"]), channels];
    }
    case "UnsortedSegmentSum":
      return [Number(attributes["numSegments"] ?? 1), ...shapeOf(inputs, "x").slice(1)];
    case "OneHot":
      return [...shapeOf(inputs, "indices"), Number(attributes["depth"] ?? 1)];
    case "GatherV2":
      return [elementCount(shapeOf(inputs, "indices")), ...shapeOf(inputs, "x").slice(1)];
    case "MaxPoolGrad":
    case "AvgPoolGrad":
      return shapeOf(inputs, "input");
    case "Concat":
    case "Pack":
    case "AddN":
      return [tensorsOf(inputs).reduce((sum, { size }) => sum + size, 0)];
    default:
      return null;
  }
}

function shapeOf(inputs: NamedTensors, name: string): readonly number[] {
  return inputs[name]?.shape ?? [];
}

function asShape(value: unknown): readonly number[] {
  return Array.isArray(value) ? (value as number[]) : [];
}

function spatial(shape: readonly number[], strides: unknown): number[] {
  const [batch = 1, height = 1, width = 1] = shape;
  const [down = 1, right = 1] = typeof strides === "number" ? [strides, strides] : asShape(strides);
  return [batch, Math.ceil(height / down), Math.ceil(width / right)];
}

function matMulShape(a: readonly number[], b: readonly number[], attributes: Attributes): readonly number[] {
  const rows = a.at(attributes["transposeA"] === true ? -1 : -2) ?? 1;
  const columns = b.at(attributes["transposeB"] === true ? -2 : -1) ?? 1;
  const batch = Math.max(elementCount(a.slice(0, -2)), elementCount(b.slice(0, -2)));
  return [batch, rows, columns];
}

/** 0 for shapes that do not broadcast: the kernel is not element by element. */
function broadcastElements(inputs: NamedTensors): number {
  let rank = 0;
  for (const name in inputs) rank = Math.max(rank, inputs[name]?.shape?.length ?? 0);
  let count = 1;
  for (let fromLast = 1; fromLast <= rank; fromLast++) {
    let size = 1;
    for (const name in inputs) {
      const shape = inputs[name]?.shape;
      const own = shape?.[shape.length - fromLast] ?? 1;
      if (own === 1 || own === size) continue;
      if (size !== 1) return 0;
      size = own;
    }
    count *= size;
  }
  return count;
}
