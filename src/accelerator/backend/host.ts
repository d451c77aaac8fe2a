/** Operations that the accelerator leaves to the host: TensorFlow.js's cpu kernels on this backend's tensors, each one counted. */
import { passesByReference } from "../../backends/adapter.ts";
import { elementCount, type TensorFlow, type TensorInfo } from "../../runtime/engine.ts";
import { type Attributes, type Inputs, type Machine, refuseTraining } from "./machine.ts";

type KernelConfig = Parameters<TensorFlow["registerKernel"]>[0];
type StockKernel = (call: { inputs: Inputs; attrs: Attributes; backend: object }) => TensorInfo | TensorInfo[];

/** Runs a kernel on the host. @param reason why a convolution or product is not on the accelerator */
export function runOnHost(
  machine: Machine,
  kernel: string,
  inputs: Inputs,
  attrs: Attributes,
  reason: string | null = null,
): TensorInfo | TensorInfo[] {
  refuseTraining(machine);
  const stock = machine.tf.getKernel(kernel, "cpu").kernelFunc as unknown as StockKernel;
  const result = stock({ inputs, attrs, backend: machine.backend });
  const operands = Object.values(inputs)
    .flat()
    .filter((input): input is TensorInfo => input?.shape !== undefined);
  const first = operands[0];
  if (first !== undefined && passesByReference(kernel, first, attrs)) return result;
  const outputs = [result].flat();
  const sizes = [...operands, ...outputs].map(({ shape }) => elementCount(shape));
  machine.log.hostOps.push({
    kernel,
    layer: machine.layer() ?? null,
    elements: Math.max(0, ...sizes),
    macs: macsOnHost(kernel, inputs, attrs, outputs[0]),
    reason: reason ?? TRANSPOSED[kernel] ?? null,
  });
  return result;
}

/** The same for kernels with one result. */
export function runOneOnHost(machine: Machine, kernel: string, inputs: Inputs, attrs: Attributes): TensorInfo {
  return runOnHost(machine, kernel, inputs, attrs) as TensorInfo;
}

/** Convolutions that no accelerator here has a mapping for. */
const TRANSPOSED: Readonly<Record<string, string>> = {
  Conv2DBackpropInput: "a transposed convolution",
  DepthwiseConv2dNativeBackpropInput: "a transposed convolution",
  Conv3D: "a convolution in three dimensions",
  Conv3DBackpropInputV2: "a transposed convolution",
  Dilation2D: "a morphological dilation",
  Einsum: "a sum over named axes",
};

/** Every output pixel (of a transposed convolution every input pixel) meets the whole filter once. */
function macsOnHost(kernel: string, inputs: Inputs, attrs: Attributes, output: TensorInfo | undefined): number {
  if (output === undefined) return 0;
  if (kernel.includes("Conv")) {
    const { dy, filter } = inputs;
    const map = dy ?? output;
    return filter === undefined ? 0 : (elementCount(map.shape) / (map.shape.at(-1) ?? 1)) * elementCount(filter.shape);
  }
  if (kernel !== "BatchMatMul" && kernel !== "_FusedMatMul") return 0;
  return elementCount(output.shape) * (inputs["a"]?.shape.at(attrs["transposeA"] === true ? -2 : -1) ?? 1);
}

/** All of the cpu backend's kernels, under the accelerator's name. */
export function hostKernels(machine: Machine): KernelConfig[] {
  return machine.tf.getKernelsForBackend("cpu").map(({ kernelName }) => ({
    kernelName,
    backendName: machine.name,
    kernelFunc: ({ inputs, attrs }) => runOnHost(machine, kernelName, inputs, attrs ?? {}),
  }));
}
