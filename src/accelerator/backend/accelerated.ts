/**
 * The kernels that the accelerator computes itself, and what becomes of those it cannot: each such call goes to the host with the
 * reason in the record. The accelerator adds a bias per output channel and rectifies; other activations follow on the host.
 */
import { elementCount, type TensorFlow, type TensorInfo } from "../../runtime/engine.ts";
import type { Rectifier } from "../arithmetic/write-back.ts";
import { convolve } from "./convolution.ts";
import { runOneOnHost, runOnHost } from "./host.ts";
import { type Attributes, type Inputs, type Machine, refuseTraining } from "./machine.ts";
import { multiplyMatrices } from "./matrix-product.ts";
import type { ConvGeometry } from "./patches.ts";
import type { Workload } from "./presets.ts";

type KernelConfig = Parameters<TensorFlow["registerKernel"]>[0];
type ConvArgs = Parameters<TensorFlow["backend_util"]["computeConv2DInfo"]>;

/** What runs of a fused kernel on the accelerator, given the bias and activation it takes over. */
type Core = (bias: TensorInfo | null, rectifier: Rectifier) => TensorInfo;

const KERNELS: Readonly<Record<string, (machine: Machine, kernel: string, inputs: Inputs, attrs: Attributes) => Plan>> =
  {
    Conv2D: planConvolution,
    FusedConv2D: planConvolution,
    DepthwiseConv2dNative: planConvolution,
    FusedDepthwiseConv2D: planConvolution,
    BatchMatMul: planProduct,
    _FusedMatMul: planProduct,
  };

export const ACCELERATED_KERNELS: readonly string[] = Object.keys(KERNELS);

type Plan = { readonly run: Core; readonly channels: number } | { readonly hostBecause: string };

export function acceleratedKernels(machine: Machine): KernelConfig[] {
  return Object.entries(KERNELS).map(([kernelName, plan]) => ({
    kernelName,
    backendName: machine.name,
    kernelFunc: (call) => {
      refuseTraining(machine);
      const inputs = call.inputs as unknown as Inputs;
      const attrs = (call.attrs ?? {}) as unknown as Attributes;
      const planned = plan(machine, kernelName, inputs, attrs);
      if ("hostBecause" in planned) return runOnHost(machine, kernelName, inputs, attrs, planned.hostBecause);
      return runFused(machine, planned.run, planned.channels, inputs, attrs);
    },
  }));
}

function planConvolution(machine: Machine, kernel: string, inputs: Inputs, attrs: Attributes): Plan {
  const { x, filter } = inputs as { x: TensorInfo; filter: TensorInfo };
  if ((attrs["dataFormat"] ?? "NHWC") !== "NHWC") return { hostBecause: "its channels come first" };
  if (x.dtype !== "float32" || filter.dtype !== "float32") return { hostBecause: "its operands are integers" };
  const depthwise = kernel.includes("Depthwise");
  const geometry = machine.tf.backend_util.computeConv2DInfo(
    x.shape as ConvArgs[0],
    filter.shape as ConvArgs[1],
    attrs["strides"] as ConvArgs[2],
    (attrs["dilations"] ?? 1) as ConvArgs[3],
    attrs["pad"] as ConvArgs[4],
    attrs["dimRoundingMode"] as ConvArgs[5],
    depthwise,
  );
  const workload = depthwise ? "depthwise" : isPointwise(geometry) ? "pointwise" : "convolution";
  if (!machine.workloads.includes(workload)) return notMapped(machine, workload);
  return {
    run: (bias, rectifier) => convolve(machine, { kernel, x, filter, bias, rectifier, geometry, depthwise }),
    channels: geometry.outChannels,
  };
}

function isPointwise({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: ConvGeometry): boolean {
  const padded = padInfo.top + padInfo.bottom + padInfo.left + padInfo.right > 0;
  return filterHeight === 1 && filterWidth === 1 && strideHeight === 1 && strideWidth === 1 && !padded;
}

function planProduct(machine: Machine, kernel: string, inputs: Inputs, attrs: Attributes): Plan {
  const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
  if (a.dtype !== "float32" || b.dtype !== "float32") return { hostBecause: "its operands are integers" };
  if (!machine.workloads.includes("fully-connected")) return notMapped(machine, "fully-connected");
  const [batchA, batchB] = [a, b].map(({ shape }) => elementCount(shape.slice(0, -2))) as [number, number];
  const sameBatch = String(a.shape.slice(0, -2)) === String(b.shape.slice(0, -2));
  if (!sameBatch && batchA !== 1 && batchB !== 1) return { hostBecause: "its batches are broadcast over each other" };
  const transposeA = attrs["transposeA"] === true;
  const transposeB = attrs["transposeB"] === true;
  return {
    run: (bias, rectifier) => multiplyMatrices(machine, { kernel, a, b, bias, rectifier, transposeA, transposeB }),
    channels: b.shape.at(transposeB ? -2 : -1) ?? 1,
  };
}

function notMapped({ name, workloads }: Machine, workload: Workload): Plan {
  return { hostBecause: `${name} runs ${workloads.join(", ")} layers, and this one is ${workload}` };
}

/** TensorFlow.js's names of fused activations, and the kernels that compute them. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  prelu: "Prelu",
  leakyrelu: "LeakyRelu",
};

/** Takes bias and rectifier over where they come first; whatever is left follows on the host. */
function runFused(machine: Machine, core: Core, channels: number, inputs: Inputs, attrs: Attributes): TensorInfo {
  const { bias, preluActivationWeights: alpha } = inputs;
  const activation = (attrs["activation"] ?? "linear") as string;
  const ownBias = bias === undefined || bias === null || isPerChannel(bias, channels);
  const rectifier = activation === "relu" || activation === "relu6" ? activation : "linear";
  let result = core(ownBias ? (bias ?? null) : null, ownBias ? rectifier : "linear");
  const follow = (kernel: string, operands: Inputs): void => {
    const before = result;
    result = runOneOnHost(machine, kernel, operands, { alpha: attrs["leakyreluAlpha"] });
    machine.backend.disposeIntermediateTensorInfo(before);
  };
  if (!ownBias) follow("Add", { a: result, b: bias });
  if (activation === "linear" || (ownBias && rectifier !== "linear")) return result;
  follow(ACTIVATIONS[activation] ?? activation, activation === "prelu" ? { x: result, alpha } : { x: result });
  return result;
}

function isPerChannel({ shape }: TensorInfo, channels: number): boolean {
  const size = elementCount(shape);
  return size === 1 || (size === channels && shape.at(-1) === channels);
}
