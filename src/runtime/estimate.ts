/**
 * How many device bytes a kernel will ask for, before it runs for the first time. After that the record knows. The estimate is
 * for the reactive first iteration, where room must be made before anything is allocated; it covers the kernels whose output
 * is larger than their largest input, and takes that input's size for all others.
 */
import { elementCount, type EngineTensor, type NamedTensors, tensorBytes, tensorsOf } from "./engine.ts";

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
  outputsHeld: number,
): number {
  const tensors = tensorsOf(inputs);
  const shape = outputShape(kernel, inputs, tensors, (attributes ?? {}) as Attributes);
  const largest = tensors.reduce((max, { shape: s, dtype }) => Math.max(max, tensorBytes(s, dtype)), 0);
  return Math.max(largest, shape === null ? 0 : elementCount(shape) * 4) * outputsHeld;
}

function outputShape(
  kernel: string,
  inputs: NamedTensors,
  tensors: readonly EngineTensor[],
  attributes: Attributes,
): readonly number[] | null {
  const shapeOf = (name: string): readonly number[] => inputs[name]?.shape ?? [];
  switch (kernel) {
    case "Conv2D":
    case "FusedConv2D":
      return [...spatial(shapeOf("x"), attributes["strides"]), shapeOf("filter")[3] ?? 1];
    case "DepthwiseConv2dNative":
    case "FusedDepthwiseConv2D": {
      const filter = shapeOf("filter");
      return [...spatial(shapeOf("x"), attributes["strides"]), (filter[2] ?? 1) * (filter[3] ?? 1)];
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
      return matMulShape(shapeOf("a"), shapeOf("b"), attributes);
    case "Fill":
    case "BroadcastTo":
    case "Reshape":
      return asShape(attributes["shape"]);
    case "Tile":
      return shapeOf("x").map((size, i) => size * (asShape(attributes["reps"])[i] ?? 1));
    case "PadV2":
    case "MirrorPad": {
      const paddings = (attributes["paddings"] ?? []) as readonly (readonly [number, number])[];
      return shapeOf("x").map((size, i) => size + (paddings[i]?.[0] ?? 0) + (paddings[i]?.[1] ?? 0));
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor": {
      const [batch = 1, , , channels = 1] = shapeOf("images");
      return [batch, ...asShape(attributes["size"]), channels];
    }
    case "UnsortedSegmentSum":
      return [Number(attributes["numSegments"] ?? 1), ...shapeOf("x").slice(1)];
    case "OneHot":
      return [...shapeOf("indices"), Number(attributes["depth"] ?? 1)];
    case "GatherV2":
      return [elementCount(shapeOf("indices")), ...shapeOf("x").slice(1)];
    case "MaxPoolGrad":
    case "AvgPoolGrad":
      return shapeOf("input");
    case "Concat":
    case "Pack":
    case "AddN":
      return [tensors.reduce((sum, { size }) => sum + size, 0)];
    default:
      return broadcast(tensors);
  }
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

/** Null for shapes that do not broadcast: the kernel is not element by element. */
function broadcast(tensors: readonly EngineTensor[]): readonly number[] | null {
  if (tensors.length < 2) return null;
  const rank = Math.max(...tensors.map(({ shape }) => shape.length));
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const sizes = tensors.map(({ shape }) => shape[shape.length - rank + i] ?? 1);
    const size = Math.max(...sizes);
    if (sizes.some((each) => each !== 1 && each !== size)) return null;
    result.push(size);
  }
  return result;
}
